"""Benchmarks of a complete system, through its HTTP API and its events."""
