"""The resources of the API: their endpoints and the code that only these use."""
