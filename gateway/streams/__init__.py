"""Server-sent events: the log is heard once per process and told to everyone who listens."""
