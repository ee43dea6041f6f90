"""Costs of plans and executions. Sums are exact."""
