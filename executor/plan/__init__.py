"""Runs that execute a plan: tool calls, inferences and the report."""
