"""What describes the API and the log, made of the code and the models that serve."""
