"""Executes the steps of runs under a lease."""
