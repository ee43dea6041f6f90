"""Commands for operators: log, views and parked messages."""
