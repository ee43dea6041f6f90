"""Goal runs: what an agent is told, what it does, and what comes after it has ended."""
