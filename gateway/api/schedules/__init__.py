"""Schedules, whether of a goal or of a DAG."""
