"""How any process of ours runs: log, consumers, blobs, settings, service main loop, LLM client."""
