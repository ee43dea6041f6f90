"""The command line `async-agent`."""
