"""Turns due ticks into runs, exactly once."""
