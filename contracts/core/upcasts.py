"""How stored events of older versions become today's shapes: raw JSON in and out, one version at a time.

A landed upcast is never edited. Add one with `UPCASTS.add("run.started", from_version=1)(function)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from contracts.core.event import Json

Upcast = Callable[[dict[str, Json]], dict[str, Json]]


@dataclass(frozen=True)
class Upcasts:
    """One function per event type and version; two for the same version are refused."""

    steps: dict[tuple[str, int], Upcast] = field(default_factory=dict)
    renamed: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    """Type and version that an event of an older name has become, by its older name and last version."""

    def add(self, event_type: str, *, from_version: int) -> Callable[[Upcast], Upcast]:
        """Register the function that turns version `from_version` into the next one."""

        def register(function: Upcast) -> Upcast:
            if (event_type, from_version) in self.steps:
                raise ValueError(f"two upcasts for {event_type} version {from_version}")
            self.steps[event_type, from_version] = function
            return function

        return register

    def rename(self, old: str, *, from_version: int, to: str, version: int) -> Callable[[Upcast], Upcast]:
        """Register the function that turns the last version of an older type into `version` of type `to`."""

        def register(function: Upcast) -> Upcast:
            self.renamed[old, from_version] = to, version
            return self.add(old, from_version=from_version)(function)

        return register

    def named(self, event_type: str, version: int, data: dict[str, Json]) -> tuple[str, int, dict[str, Json]]:
        """Type, version and data under the name that the type has today."""
        while new := self.renamed.get((event_type, version)):
            data = self.steps[event_type, version](data)
            event_type, version = new
        return event_type, version, data

    def to(self, wanted: int, event_type: str, version: int, data: dict[str, Json]) -> dict[str, Json]:
        """`data` of `version` in the shape of version `wanted`.

        Raises:
            ValueError: there is no way up.
        """
        while version < wanted:
            if (event_type, version) not in self.steps:
                raise ValueError(f"no upcast for {event_type} version {version}")
            data = self.steps[event_type, version](data)
            version += 1
        return data


UPCASTS = Upcasts()
