"""What executions and runs of goals share: the rows of runs, and cancelling them."""
