"""Who may ask: checked before a request reaches any resource."""
