"""A complete system on one machine."""
