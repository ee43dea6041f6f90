"""Tools made from the OpenAPI documents of HTTP APIs."""
