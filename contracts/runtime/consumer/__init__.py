"""Durable consumers: delivery, leases, acknowledgement, parking."""
