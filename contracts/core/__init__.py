"""Events, commits, aggregates and their ids: what is the same for every aggregate. Pure."""
