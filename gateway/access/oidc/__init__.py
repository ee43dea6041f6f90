"""Users by OpenID Connect: bearer tokens (JWT) of one issuer."""
