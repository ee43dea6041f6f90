"""Server-sent events. Each process reads the log once and sends its events to all clients."""
