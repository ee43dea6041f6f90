"""The work after the end of a goal's run: it stores memories and calls the webhook."""
