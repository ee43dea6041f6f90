"""The reference page: the OpenAPI document as HTML, without scripts or external resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple
from xml.etree.ElementTree import Element

import orjson

from contracts.core.event import Json
from gateway.documents.html import Child, document, inline, node, prose
from gateway.documents.reference_schemas import anchor, fields, row, sample, type_of
from gateway.documents.schemas import Schema, referenced_name

EVERYWHERE = "everywhere"


class _Operation(NamedTuple):
    method: str
    path: str
    about: Schema

    @property
    def id(self) -> str:
        return str(self.about["operationId"])


def reference(openapi: Schema) -> bytes:
    """Return the page of an OpenAPI document."""
    style = files(__package__).joinpath("reference.css").read_text(encoding="utf-8")
    info, definitions = openapi["info"], openapi["components"]["schemas"]
    operations = list(_operations(openapi))
    sections = [_section(tag, operations, openapi) for tag in openapi["tags"]]
    return document(
        f"{info['title']} API",
        style,
        _contents(info, openapi["tags"], operations),
        node(
            "main",
            node("h1", f"{info['title']} API ", node("small", info["version"])),
            *prose(info["description"]),
            *prose("[openapi.json](/openapi.json) · [asyncapi.json](/asyncapi.json)"),
            *sections,
            node("section", node("h2", "Everywhere"), _common_answers(openapi["components"]), id=EVERYWHERE),
            node("section", node("h2", "Definitions"), *_definitions(definitions), id="definitions"),
        ),
    )


def _operations(openapi: Schema) -> Iterator[_Operation]:
    for path, methods in openapi["paths"].items():
        for method, about in methods.items():
            yield _Operation(method.upper(), path, about)


def _contents(info: Schema, tags: Sequence[Schema], operations: Sequence[_Operation]) -> Element:
    parts: list[Child] = [node("strong", info["title"])]
    for tag in tags:
        own = [one for one in operations if tag["name"] in one.about["tags"]]
        links = [node("li", _link(one)) for one in own]
        parts += [node("a", tag["name"], href=f"#{tag['name']}", class_="tag"), node("ul", *links)]
    ends = [node("a", name, href=f"#{name}", class_="tag") for name in (EVERYWHERE, "definitions")]
    return node("nav", *parts, *ends)


def _section(tag: Schema, operations: Sequence[_Operation], openapi: Schema) -> Element:
    own = [_article(one, openapi) for one in operations if tag["name"] in one.about["tags"]]
    return node("section", node("h2", tag["name"]), *prose(tag["description"]), *own, id=tag["name"])


def _article(operation: _Operation, openapi: Schema) -> Element:
    about = operation.about
    title = node("h3", _method(operation.method), " ", node("code", operation.path))
    parts = [
        title,
        node("p", node("strong", about["summary"]), class_="summary"),
        *prose(about["description"]),
    ]
    if parameters := about.get("parameters"):
        rows = [_parameter(one) for one in parameters]
        parts += [node("h4", "Parameters"), node("table", node("tbody", *rows))]
    parts += _body(about, openapi)
    parts += [node("h4", "Answers"), *_answers(about["responses"])]
    return node("article", *parts, node("pre", _curl(operation, openapi)), id=operation.id)


def _parameter(parameter: Schema) -> Element:
    about = parameter.get("description", "")
    required = parameter.get("required", False)
    return row(parameter["name"], parameter["schema"], required=required, about=about, where=parameter["in"])


def _body(about: Schema, openapi: Schema) -> list[Element]:
    parts = []
    for media_type, content in about.get("requestBody", {}).get("content", {}).items():
        definition = openapi["components"]["schemas"][referenced_name(content["schema"])]
        parts += [node("h4", "Body ", node("small", media_type)), fields(definition, marked=True)]
    return parts


def _answers(responses: Mapping[str, Schema]) -> list[Element]:
    own = [_answer(status, given) for status, given in sorted(responses.items()) if "$ref" not in given]
    links: list[Child] = []
    for status, given in sorted(responses.items()):
        if "$ref" in given:
            links += [" ", node("a", status, href=f"#{referenced_name(given)}")]
    return [node("table", node("tbody", *own), class_="answers"), node("p", "Common errors:", *links)]


def _answer(status: str, answer: Schema, **attributes: str) -> Element:
    shown: list[Child] = []
    for media_type, content in answer.get("content", {}).items():
        shown += [", "] if shown else []
        shown += type_of(content["schema"]) if media_type == "application/json" else [media_type]
    return node(
        "tr",
        node("td", node("code", status, class_=f"status s{status[0]}")),
        node("td", *inline(answer["description"])),
        node("td", *shown),
        **attributes,
    )


def _common_answers(components: Schema) -> Element:
    """Return the error answers that operations share."""
    rows = [_answer(one["x-status"], one, id=name) for name, one in components["responses"].items()]
    return node("article", node("table", node("tbody", *rows), class_="answers"))


def _definitions(definitions: Mapping[str, Schema]) -> list[Element]:
    return [
        node(
            "article",
            node("h3", name),
            *prose(schema.get("description", "")),
            fields(schema, marked=False),
            id=anchor(name),
        )
        for name, schema in definitions.items()
    ]


def _curl(operation: _Operation, openapi: Schema) -> str:
    """Return a curl command that calls the operation."""
    words = ["curl"]
    if operation.method != "GET":
        words.append(f"-X {operation.method}")
    definitions = openapi["components"]["schemas"]
    for media_type, content in operation.about.get("requestBody", {}).get("content", {}).items():
        value = sample(content["schema"], definitions)
        words += _json(value) if media_type == "application/json" else _form(value)
    if "text/event-stream" in operation.about["responses"].get("200", {}).get("content", {}):
        words.append("-N")
    return " ".join([*words, f"http://localhost:3000{operation.path}"])


def _json(value: Json) -> list[str]:
    return ["-H 'Content-Type: application/json'", f"-d '{orjson.dumps(value).decode()}'"]


def _form(value: Json) -> list[str]:
    return [*(f"-F {name}='{given}'" for name, given in value.items()), "-F file=@notes.txt"]


def _link(operation: _Operation) -> Element:
    short = operation.path.removeprefix("/api/v1")
    return node("a", _method(operation.method), " ", short, href=f"#{operation.id}", title=operation.path)


def _method(method: str) -> Element:
    return node("span", method, class_=f"method {method.lower()}")
