"""Schedules: their definition, cron expressions, and the history of their ticks."""
