"""Single tasks: one question to an agent. The log records usage and cost."""
