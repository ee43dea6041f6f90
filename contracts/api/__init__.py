"""Models of the HTTP API: bodies, queries and answers. One module per resource."""
