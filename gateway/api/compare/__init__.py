"""Comparison of two executions or runs."""
