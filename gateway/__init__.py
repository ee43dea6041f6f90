"""The gateway: an HTTP API with server-sent events. It reads the views and appends commits to the log."""
