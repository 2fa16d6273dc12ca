"""Predictions about curves, trends and orders."""
