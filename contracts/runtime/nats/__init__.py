"""The connection to NATS and the requests that the log and consumers are made of."""
