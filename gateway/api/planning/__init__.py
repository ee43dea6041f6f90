"""Plans: asked for in the log, and waited for."""
