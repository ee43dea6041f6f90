"""All tools of this process: the built-in ones and the plug-ins."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import ClientSession

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from contracts.core.tool import Effect, ToolSpec
from contracts.core.user_error import UserError
from executor.tools.artifacts import Artifacts
from executor.tools.ask_human import ask_human
from executor.tools.described import source_of
from executor.tools.fetch_page import fetch_page
from executor.tools.fetch_urls import fetch_urls
from executor.tools.guard import GuardedConnector
from executor.tools.pages import Pages
from executor.tools.parsers import Parsers
from executor.tools.plugins import plugged_in, search_backend
from executor.tools.read_file import read_file
from executor.tools.send_email import send_email
from executor.tools.send_webhook import send_webhook
from executor.tools.settings import ToolSettings, webhook_key
from executor.tools.tool import Tool
from executor.tools.web_search import web_search
from executor.tools.write_file import write_file

BUILT_IN = "built in"


class DuplicateTool(UserError):
    """Two tools have the same name."""


@dataclass(frozen=True)
class Registry:
    """Tools by name, in display order."""

    tools: MutableMapping[str, Tool[Any]]
    sources: MutableMapping[str, Callable[[], bool]] = field(default_factory=dict)
    """Whether a source has said which tools it has, by the first part of their names."""

    @classmethod
    def of(cls, tools: Iterable[tuple[str, Tool[Any]]]) -> Registry:
        """A registry of `tools`, each with its origin.

        Raises:
            DuplicateTool: two tools have the same name.
        """
        origins: dict[str, str] = {}
        by_name: dict[str, Tool[Any]] = {}
        for origin, tool in tools:
            if tool.name in by_name:
                rivals = f"{origins[tool.name]} and {origin}"
                raise DuplicateTool(f"two tools are called {tool.name!r}: {rivals}; rename or remove one")
            origins[tool.name], by_name[tool.name] = origin, tool
        return cls(dict(sorted(by_name.items(), key=lambda item: (item[1].order, item[0]))))

    def get(self, name: str) -> Tool[Any]:
        """The tool called `name`.

        Raises:
            Reject: there is no such tool.
            Retry: its source has not said yet which tools it has.
        """
        if name in self.tools:
            return self.tools[name]
        source = source_of(name)
        if source in self.sources and not self.sources[source]():
            raise Retry(f"{source} has not answered yet, so its tool {name} cannot be called")
        raise Reject(f"Tool not found: {name}. There are: {', '.join(self.tools)}")

    def only(self, names: Collection[str]) -> Registry:
        """A registry with only the tools in `names`."""
        return replace(self, tools={name: tool for name, tool in self.tools.items() if name in names})

    @property
    def default(self) -> list[str]:
        """Names of the tools that an agent may call if the goal names no tools."""
        return [name for name, tool in self.tools.items() if tool.by_default]

    def including(self, tool: Tool[Any]) -> Registry:
        """A registry with `tool` added, unless a tool of its name exists."""
        return (
            self if tool.name in self.tools else replace(self, tools=ChainMap({tool.name: tool}, self.tools))
        )

    def add(self, tool: Tool[Any]) -> None:
        """Add a tool of a server, or replace it. Registries made by `including` have it, too."""
        self.tools[tool.name] = tool

    @property
    def available(self) -> tuple[str, ...]:
        """Names of the tools that can be called now."""
        return tuple(name for name, tool in self.tools.items() if tool.is_available())

    def effect_of(self, name: str, params: Mapping[str, Json]) -> Effect:
        """What a second call does; ONCE for an unknown tool."""
        return self.tools[name].effect_of(params) if name in self.tools else Effect.ONCE

    @property
    def specs(self) -> list[ToolSpec]:
        """The specifications for the catalogue."""
        return [tool.spec for tool in self.tools.values()]

    def __iter__(self) -> Iterator[Tool[Any]]:
        return iter(self.tools.values())


def build_registry(settings: ToolSettings, http: ClientSession, parsers: Parsers) -> Registry:
    """The registry of a process. `http` comes from `guarded_session`. The caller closes `http` and `parsers`.

    Raises:
        ValueError: `http` is not a guarded session.
        UserError: a plug-in cannot be loaded, or two tools have the same name.
    """
    if not isinstance(http.connector, GuardedConnector):
        raise ValueError("tools must not fetch through an unguarded session: use guarded_session()")
    built_in = ((BUILT_IN, tool) for tool in _built_in(settings, http, parsers))
    return Registry.of([*built_in, *plugged_in(settings)])


def _built_in(settings: ToolSettings, http: ClientSession, parsers: Parsers) -> list[Tool[Any]]:
    artifacts = Artifacts(settings.artifacts_dir)
    pages = Pages(http, parsers)
    tools: list[Tool[Any]] = [
        web_search(search_backend(settings)),
        fetch_page(pages),
        fetch_urls(pages),
        write_file(artifacts),
        read_file(artifacts),
        send_webhook(http, webhook_key(settings.webhook_secret)),
        send_email(settings, artifacts),
        ask_human(),
    ]
    return [replace(tool, order=place) for place, tool in enumerate(tools)]
