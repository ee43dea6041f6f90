"""The aggregates and their rules. Pure."""
