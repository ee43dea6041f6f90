"""How long a test waits for a fact before it fails."""

WAIT_S = 60.0
"""Seconds. No fact takes so long, even on a busy machine, and a passing test does not wait for it."""
