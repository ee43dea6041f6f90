"""Runs of a plan: tool calls, inferences and the report."""
