"""Predictions about correlations."""
