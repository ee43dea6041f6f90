"""How any request is served, whatever it asks for: nothing here knows an endpoint."""
