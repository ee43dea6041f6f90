"""Code that executions and runs of goals share: queries and cancellation."""
