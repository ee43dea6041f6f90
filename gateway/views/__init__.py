"""Reading the views, the tables that the projector writes."""
