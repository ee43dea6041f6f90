"""Measures a complete system from outside, by HTTP and events, as a user would."""
