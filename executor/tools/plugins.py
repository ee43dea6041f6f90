"""Tools from elsewhere: named in TOOL_MODULES, or `async_agent.tools` entry points of installed packages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from contracts.runtime.process.service import UserError
from executor.tools.search import Ddgs, SearchBackend
from executor.tools.settings import ToolSettings
from executor.tools.tool import Tool

GROUP = "async_agent.tools"


class BrokenPlugin(UserError):
    """A plug-in could not be loaded, or is not what it should be. The message is one line."""


def plugged_in(
    settings: ToolSettings, installed: Iterable[EntryPoint] | None = None
) -> Iterator[tuple[str, Tool[Any]]]:
    """Each plug-in tool and where it comes from: those of TOOL_MODULES, then those of installed packages.

    Raises:
        BrokenPlugin: the operator must mend or remove it.
    """
    found = entry_points(group=GROUP) if installed is None else installed
    named = [EntryPoint(name=reference, value=reference, group=GROUP) for reference in settings.tool_modules]
    for entry in [*named, *sorted(found, key=lambda entry: entry.name)]:
        for tool in _tools(load(entry), settings, entry.value):
            yield entry.value, tool


def search_backend(settings: ToolSettings) -> SearchBackend:
    """What SEARCH_BACKEND names: engines of ddgs, or a backend of one's own as `package.module:attribute`.

    Raises:
        BrokenPlugin: the operator must mend or remove it.
    """
    reference = settings.search_backend
    if ":" not in reference:
        return Ddgs(engines=reference, proxy=settings.search_proxy)
    backend = load(EntryPoint(name=reference, value=reference, group="SEARCH_BACKEND"))
    made = _made(backend, settings, reference)
    if not callable(getattr(made, "search", None)):
        raise BrokenPlugin(f"{reference} is no search backend: it needs `async def search(query, limit)`")
    search: SearchBackend = made
    return search


def load(entry: EntryPoint) -> Any:
    """The object that `entry` names.

    Raises:
        BrokenPlugin: there is no such module or attribute, or importing it failed.
    """
    try:
        return entry.load()
    except Exception as error:  # importing runs foreign code
        raise _broken("load", entry.value, error) from error


def _tools(plugin: Any, settings: ToolSettings, origin: str) -> list[Tool[Any]]:
    made = _made(plugin, settings, origin)
    tools = list(made) if isinstance(made, Iterable) else [made]
    if not all(isinstance(tool, Tool) for tool in tools):
        raise BrokenPlugin(
            f"{origin} is neither a Tool, nor a list of Tools, nor a function that makes one; "
            "name one as package.module:attribute"
        )
    return tools


def _made(plugin: Any, settings: ToolSettings, origin: str) -> Any:
    """What the plug-in is, or what it makes of the settings when it is a function."""
    try:
        return plugin(settings) if callable(plugin) else plugin
    except Exception as error:
        raise _broken("call", origin, error) from error


def _broken(what: str, reference: str, error: Exception) -> BrokenPlugin:
    why = " ".join(f"{type(error).__name__}: {error}".split())
    return BrokenPlugin(f"cannot {what} {reference!r}: {why}")
