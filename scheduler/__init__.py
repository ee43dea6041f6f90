"""Requests the runs of schedules: exactly one run for each tick that fires."""
