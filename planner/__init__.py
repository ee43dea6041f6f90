"""Makes a validated plan for a goal with an LLM."""
