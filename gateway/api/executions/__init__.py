"""Executions of plans over HTTP: starting, watching, resuming and cancelling them."""
