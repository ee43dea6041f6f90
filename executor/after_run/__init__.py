"""What follows from the end of a goal's run: memories for the next one, and its webhook."""
