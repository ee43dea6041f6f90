"""Schedules of goals and of DAGs."""
