"""Infrastructure that all processes share: the log, consumers, the object store, settings, the main loop."""
