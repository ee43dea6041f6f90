"""HTTP handling that is independent of the endpoints."""
