"""Commands for operators: views and parked messages."""
