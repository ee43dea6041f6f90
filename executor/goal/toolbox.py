"""The tools of a goal run: those of the process and `remember`, as far as the goal allows them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.core.outcome import Reject
from contracts.core.tool import ToolSpec
from executor.goal.remember import NAME, REMEMBER
from executor.tools.registry import Registry
from executor.tools.tool import Tool


@dataclass(frozen=True, slots=True)
class Toolbox:
    """Tools by name."""

    tools: Mapping[str, Tool[Any]]

    @classmethod
    def of(cls, registry: Registry) -> Toolbox:
        """All that this process has."""
        return cls({**registry.tools, **({} if NAME in registry.tools else {NAME: REMEMBER})})

    def allowed(self, names: Collection[str]) -> Toolbox:
        """Those of `names`; all when there are no names."""
        return Toolbox({name: tool for name, tool in self.tools.items() if not names or name in names})

    def only(self, names: Collection[str]) -> Toolbox:
        """Those of `names`, and no others."""
        return Toolbox({name: tool for name, tool in self.tools.items() if name in names})

    @property
    def specs(self) -> Sequence[ToolSpec]:
        """How a model is shown them."""
        return [tool.spec for tool in self.tools.values()]

    def get(self, name: str) -> Tool[Any]:
        """The tool called `name`.

        Raises:
            Reject: there is none.
        """
        if name not in self.tools:
            raise Reject(f"Tool not found: {name}. There are: {', '.join(self.tools)}")
        return self.tools[name]
