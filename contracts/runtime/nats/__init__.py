"""The connection to NATS, and the JetStream requests that the log and the consumers use."""
