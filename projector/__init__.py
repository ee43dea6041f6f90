"""Folds the log into SQL views."""
