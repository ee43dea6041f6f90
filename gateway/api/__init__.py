"""The resources of the API: their endpoints, and what only these need."""
