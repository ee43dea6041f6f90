"""Single tasks: an agent is asked once, and nothing of it goes into the log."""
