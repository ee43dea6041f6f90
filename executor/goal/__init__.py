"""Runs of a goal by an agent."""
