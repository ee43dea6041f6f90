"""Access checks. They happen before a request reaches an endpoint."""
