"""Upcasts convert the JSON data of stored events of older versions to the current one, version by version.

Never edit a released upcast. Add one with `UPCASTS.add("run.started", from_version=1)(function)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from contracts.core.event import Json

Upcast = Callable[[dict[str, Json]], dict[str, Json]]


@dataclass(frozen=True)
class Upcasts:
    """The registered upcasts: at most one function per event type and version."""

    steps: dict[tuple[str, int], Upcast] = field(default_factory=dict)
    renamed: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    """Maps the old name and last version of a renamed event type to its new name and version."""

    def add(self, event_type: str, *, from_version: int) -> Callable[[Upcast], Upcast]:
        """Register a function that converts version `from_version` to the next version.

        Raises:
            ValueError: this version already has an upcast.
        """

        def register(function: Upcast) -> Upcast:
            if (event_type, from_version) in self.steps:
                raise ValueError(f"two upcasts for {event_type} version {from_version}")
            self.steps[event_type, from_version] = function
            return function

        return register

    def rename(self, old: str, *, from_version: int, to: str, version: int) -> Callable[[Upcast], Upcast]:
        """Register a function that converts the last version of type `old` to `version` of type `to`."""

        def register(function: Upcast) -> Upcast:
            self.renamed[old, from_version] = to, version
            return self.add(old, from_version=from_version)(function)

        return register

    def named(self, event_type: str, version: int, data: dict[str, Json]) -> tuple[str, int, dict[str, Json]]:
        """Type, version and data after all renames of the type."""
        while new := self.renamed.get((event_type, version)):
            data = self.steps[event_type, version](data)
            event_type, version = new
        return event_type, version, data

    def to(self, wanted: int, event_type: str, version: int, data: dict[str, Json]) -> dict[str, Json]:
        """Convert `data` from `version` to version `wanted`.

        Raises:
            ValueError: an upcast is missing.
        """
        while version < wanted:
            if (event_type, version) not in self.steps:
                raise ValueError(f"no upcast for {event_type} version {version}")
            data = self.steps[event_type, version](data)
            version += 1
        return data


UPCASTS = Upcasts()
