"""Everything on one machine, by one command."""
