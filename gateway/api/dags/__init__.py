"""DAGs: plans and their planning attempts."""
