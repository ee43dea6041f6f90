"""Schedules: their definition, cron expressions, and the record of their ticks."""
