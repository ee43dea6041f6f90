"""HTTP and server-sent events in, commits out."""
