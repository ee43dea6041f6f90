"""Goal text in, validated DAG out, by an LLM."""
