"""Endpoints for questions of runs to a person."""
