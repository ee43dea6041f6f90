"""Endpoints that request plans and wait for them."""
