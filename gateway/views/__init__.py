"""Reading the tables that the projector writes."""
