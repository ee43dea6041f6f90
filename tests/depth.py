"""How many examples a property is tried with."""

from __future__ import annotations

from typing import Any

from hypothesis import settings


def at_least(examples: int, **others: Any) -> settings:
    """Decorates a property that needs more examples than the others. `make fuzz` tries even more."""
    return settings(max_examples=max(examples, settings().max_examples), **others)
