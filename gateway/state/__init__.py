"""In-memory caches of a gateway."""
