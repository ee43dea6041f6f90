"""The language all services share: events, aggregates, plans, views."""
