"""The command line, local systems, benchmarks and the scripted LLM."""
