"""Executions of DAGs: started, watched, gone on with and called off."""
