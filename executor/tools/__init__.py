"""The tools a step may call, one module each."""
