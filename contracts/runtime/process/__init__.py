"""How a service process starts, logs, reports its health and stops."""
