"""Goals, their schedules, runs and memories."""
