"""Runs of goals, whether by an agent's turns or by a plan."""
