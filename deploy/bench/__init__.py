"""Measures a whole system of its own, driven from outside by HTTP and events, as a user would."""
