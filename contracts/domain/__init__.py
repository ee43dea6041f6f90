"""The aggregates, their events and their rules. Pure."""
