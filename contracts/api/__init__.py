"""What goes over HTTP: bodies and queries from clients, answers to them; one module per resource."""
