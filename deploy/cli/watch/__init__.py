"""Live progress of runs in a terminal."""
