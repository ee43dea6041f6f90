"""Documents of the API and the log, generated from the code and the models."""
