"""webSearch: searches the web for one query, or for several, one per line."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Annotated

from pydantic import BeforeValidator, Field

from contracts.core.event import Json
from contracts.core.outcome import Reject
from contracts.core.tool import Effect
from executor.tools.inputs import ToolInput
from executor.tools.search import SearchBackend
from executor.tools.tool import CallContext, Tool

MAX_QUERIES = 20
_MARKER = re.compile(r"^\s*(?:\d+[.)](?!\d)|[*-](?=\s)|•)\s*")
_QUOTED = re.compile(r'"([^"]+)"')


def _lines(value: object) -> object:
    if isinstance(value, list | tuple) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    return value


class WebSearch(ToolInput):
    """The search to make."""

    query: Annotated[str, BeforeValidator(_lines)] = Field(
        description="What to search for. May be a list, one query per line; every line is searched for"
    )
    limit: int = Field(default=10, ge=1, le=20, description="Results per query at most")


def web_search(backend: SearchBackend) -> Tool[WebSearch]:
    """The tool webSearch. It uses `backend`."""

    async def run(request: WebSearch, _: CallContext) -> Json:
        queries = queries_in(request.query)
        if not 1 <= len(queries) <= MAX_QUERIES:
            raise Reject(f"query must hold 1 to {MAX_QUERIES} queries, one a line; it holds {len(queries)}")
        return [asdict(hit) for query in queries for hit in await backend.search(query, request.limit)]

    return Tool(
        name="webSearch",
        description=(
            "Search the web. Returns title, url and snippet of each result; an empty list if there is none. "
            "Follow it by fetchURLs to read the pages."
        ),
        accepts=WebSearch,
        effect=Effect.READ,
        run=run,
        timeout_s=120,
    )


def queries_in(text: str) -> list[str]:
    """The queries of a plain, bulleted or numbered list, one per line. A quoted part replaces its line."""
    bare = (_MARKER.sub("", line) for line in text.splitlines())
    quoted = (match[1] if (match := _QUOTED.search(line)) else line for line in bare)
    return [query for line in quoted if (query := line.strip())]
