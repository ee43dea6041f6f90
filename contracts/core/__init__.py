"""Events, commits, aggregates and ids: the code that all aggregates share. Pure."""
