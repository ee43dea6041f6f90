"""Plug-in tools: named in TOOL_MODULES, or `async_agent.tools` entry points of installed packages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from contracts.core.user_error import UserError
from executor.tools.search import Ddgs, SearchBackend
from executor.tools.settings import ToolSettings
from executor.tools.tool import Tool

GROUP = "async_agent.tools"
"""Entry points of installed packages."""
SETTING = "TOOL_MODULES"
"""The environment variable that names plug-ins."""


class BrokenPlugin(UserError):
    """A plug-in could not be loaded, or has the wrong type. The message is one line."""


def plugged_in(
    settings: ToolSettings, installed: Iterable[EntryPoint] | None = None
) -> Iterator[tuple[str, Tool[Any]]]:
    """The plug-in tools, each with its origin: those of TOOL_MODULES, then those of installed packages.

    Raises:
        BrokenPlugin: a plug-in cannot be loaded.
    """
    found = entry_points(group=GROUP) if installed is None else installed
    named = [
        EntryPoint(name=reference, value=reference, group=SETTING) for reference in settings.tool_modules
    ]
    for entry in [*named, *sorted(found, key=lambda entry: entry.name)]:
        for tool in _tools(entry, settings):
            yield entry.value, tool


def search_backend(settings: ToolSettings) -> SearchBackend:
    """The backend in SEARCH_BACKEND: engines of ddgs, or a custom backend as `package.module:attribute`.

    Raises:
        BrokenPlugin: the backend cannot be loaded.
    """
    reference = settings.search_backend
    if ":" not in reference:
        return Ddgs(engines=reference, proxy=settings.search_proxy.get_secret_value())
    made = _made(EntryPoint(name=reference, value=reference, group="SEARCH_BACKEND"), settings)
    if not callable(getattr(made, "search", None)):
        raise BrokenPlugin(
            f"SEARCH_BACKEND: {reference} is not a search backend: it needs `async def search(query, limit)`"
        )
    search: SearchBackend = made
    return search


def load(entry: EntryPoint) -> Any:
    """The object that `entry` names.

    Raises:
        BrokenPlugin: the module or attribute does not exist, or importing it failed.
    """
    if EntryPoint.pattern.match(entry.value) is None:
        raise BrokenPlugin(
            f"{entry.group}: cannot load {entry.value!r}: write it as package.module:attribute"
        )
    try:
        return entry.load()
    except Exception as error:  # importing runs code of others, which may raise anything
        raise _broken("load", entry, error) from error


def _tools(entry: EntryPoint, settings: ToolSettings) -> list[Tool[Any]]:
    made = _made(entry, settings)
    tools = list(made) if isinstance(made, Iterable) else [made]
    if not all(isinstance(tool, Tool) for tool in tools):
        raise BrokenPlugin(
            f"{entry.group}: {entry.value} is neither a Tool, nor a list of Tools, nor a function that makes "
            "one; name one as package.module:attribute"
        )
    return tools


def _made(entry: EntryPoint, settings: ToolSettings) -> Any:
    """The plug-in that `entry` names, or its result for `settings` if it is a function."""
    plugin = load(entry)
    try:
        return plugin(settings) if callable(plugin) else plugin
    except Exception as error:
        raise _broken("call", entry, error) from error


def _broken(what: str, entry: EntryPoint, error: Exception) -> BrokenPlugin:
    why = " ".join(f"{type(error).__name__}: {error}".split())
    return BrokenPlugin(f"{entry.group}: cannot {what} {entry.value!r}: {why}")
