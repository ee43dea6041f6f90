"""Goals: what is to be reached again and again."""
