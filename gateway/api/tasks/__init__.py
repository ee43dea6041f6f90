"""Single tasks: an agent is asked once, and what that took goes into the log."""
