"""Live progress of executions and runs in a terminal."""
