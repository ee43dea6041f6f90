"""What plans and executions cost; sums are exact."""
