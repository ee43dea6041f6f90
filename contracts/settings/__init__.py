"""Settings from the environment, `.env` and files, and the redaction of their secrets."""
