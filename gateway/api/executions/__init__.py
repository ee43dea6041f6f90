"""Endpoints to start, watch, resume and cancel executions of plans."""
