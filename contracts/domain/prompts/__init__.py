"""Parts of prompts as text."""
