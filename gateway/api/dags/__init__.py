"""DAGs: plans, and what is known of how they came about."""
