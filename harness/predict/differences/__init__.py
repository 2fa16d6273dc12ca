"""Predictions about differences between groups and levels."""
