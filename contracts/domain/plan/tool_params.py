"""The parameters of a tool call: placeholders and omitted parameters are filled from earlier results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from contracts.core.event import Json
from contracts.core.tool import Fill, ToolSpec
from contracts.domain.plan.placeholders import SYNTAX, Resolver, compact, find, map_texts, placeholder

_URL = re.compile(r"""(?:https?://|www\.)(?:(?![,;]https?://)[^\s<>"'`|\\^{}\[\]])+""", re.IGNORECASE)
_FENCE = "```"


def left_to_results(spec: ToolSpec, params: Mapping[str, Json]) -> frozenset[str]:
    """Parameters that are missing in `params` and that the results of the dependencies fill."""
    return frozenset(name for name in spec.filled_from_results if params.get(name) in (None, []))


def tool_params(
    spec: ToolSpec, params: Mapping[str, Json], dependencies: Sequence[str], results: Mapping[str, Json]
) -> dict[str, Json]:
    """`params` with placeholders resolved and omitted parameters filled from results.

    `dependencies`: the ids that the step depends on, in order. `results`: by id, of all steps that
    placeholders may name. A parameter in `filled_from_results` gets the URLs in the results or their readable
    text, as the tool declares. A parameter of type string gets text. Values without placeholders are
    unchanged.

    Raises:
        Reject: the results would make the parameters too long.
    """
    resolver = Resolver(results)
    supplied = _supplied(spec, params, dependencies)
    resolved: dict[str, Json] = {}
    for name, value in {**params, **supplied}.items():
        if not find(value):
            resolved[name] = value
            continue
        match spec.filled_from_results.get(name):
            case Fill.URLS:
                resolved[name] = _url_list(value, resolver)
            case Fill.TEXT:
                resolved[name] = _file_content(value, results, supplied=name in supplied)
            case None:
                resolved[name] = _typed(spec, name, map_texts(value, resolver.value))
    return resolved


def _supplied(spec: ToolSpec, params: Mapping[str, Json], dependencies: Sequence[str]) -> dict[str, Json]:
    """The omitted parameters, with a placeholder for every dependency."""
    named: list[Json] = [placeholder(task_id) for task_id in dependencies]
    if not named:
        return {}
    fills = {Fill.URLS: named, Fill.TEXT: "\n".join(named)}
    return {name: fills[spec.filled_from_results[name]] for name in left_to_results(spec, params)}


def _typed(spec: ToolSpec, name: str, value: Json) -> Json:
    declared = spec.parameters.get("properties", {}).get(name, {})
    return compact(value) if declared.get("type") == "string" else value


def _url_list(value: Json, resolver: Resolver) -> list[Json]:
    urls: list[Json] = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str) and find(item):
            urls.extend(_urls_in(resolver.value(item)))
        else:
            urls.append(map_texts(item, resolver.value))
    return urls


def _urls_in(result: Json) -> Iterator[str]:
    """The URLs in a result: of search results, of pages, or in a text."""
    match result:
        case str():
            yield from (_tidied(match[0]) for match in _URL.finditer(result))
        case list():
            for item in result:
                yield from _urls_in(item)
        case {"url": str(url)} if url:
            yield url
        case {"results": list(items)}:
            yield from _urls_in(items)


def _tidied(url: str) -> str:
    """A URL from a text, without the punctuation of the sentence around it."""
    end, unopened = len(url), url.count(")") - url.count("(")
    while end and (url[end - 1] in ".,;:!?*_" or (url[end - 1] == ")" and unopened > 0)):
        unopened -= url[end - 1] == ")"
        end -= 1
    return f"https://{url[:end]}" if url[:4].lower() == "www." else url[:end]


def _file_content(value: Json, results: Mapping[str, Json], *, supplied: bool) -> str:
    whole = supplied or (isinstance(value, str) and SYNTAX.fullmatch(value.strip()) is not None)
    resolver = Resolver(results, _readable if whole else _embedded)
    return _unfenced(_readable(map_texts(value, resolver.text)))


def _embedded(result: Json) -> str:
    """A result for use inside the text of a file: its `content` if it has one, else text or compact JSON."""
    return str(result["content"]) if _has_content(result) else compact(result)


def _readable(result: Json) -> str:
    """A result as the text of a file: its `content` if it has one, else text unchanged or indented JSON."""
    if isinstance(result, str):
        return result
    if _has_content(result):
        return str(result["content"])
    return json.dumps(result, ensure_ascii=False, indent=2)


def _has_content(result: Json) -> bool:
    return isinstance(result, dict) and isinstance(result.get("content"), str)


def _unfenced(text: str) -> str:
    """`text` without the code fence around it, if one fence encloses all of it."""
    lines = text.strip().split("\n")
    if len(lines) < 2 or not lines[0].startswith(_FENCE) or lines[-1].strip() != _FENCE:
        return text
    depth = 1
    for line in lines[1:-1]:
        if line.lstrip().startswith(_FENCE):
            depth += 1 if line.strip().strip("`") else -1
        if depth == 0:
            return text
    return "\n".join(lines[1:-1])
