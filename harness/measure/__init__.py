"""Instruments: pure functions from a population to a tidy table."""
