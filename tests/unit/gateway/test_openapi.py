"""The OpenAPI document and the page made of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.app import ENDPOINTS
from gateway.documents.openapi import template
from gateway.documents.reference import reference
from gateway.endpoint import Endpoint, Raw
from tests.described import described
from tests.unit.documents import references


@pytest.fixture(scope="module")
def document() -> Any:
    return described()


def operation(document: Any, endpoint: Endpoint) -> Any:
    return document["paths"][template(endpoint.path)][endpoint.method.lower()]


def test_it_is_valid(document: Any) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_it_has_every_endpoint_and_no_other(document: Any) -> None:
    found = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert found == {(one.method, template(one.path)) for one in ENDPOINTS}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.name)
def test_every_endpoint_says_what_it_takes_and_answers(document: Any, endpoint: Endpoint) -> None:
    said = operation(document, endpoint)
    names = {(one["in"], one["name"]) for one in said.get("parameters", ())}
    assert {("path", name) for name in re.findall(r"\{(\w+)\}", template(endpoint.path))} <= names
    if endpoint.query:
        fields = endpoint.query.model_fields.items()
        assert {("query", field.alias or name) for name, field in fields} <= names
    assert (("header", "Idempotency-Key") in names) == endpoint.keyed
    answers = endpoint.responses.values()
    streams = any(isinstance(one, Raw) and one.media_type == "text/event-stream" for one in answers)
    assert (("header", "Last-Event-ID") in names) == streams
    assert ("requestBody" in said) == bool(endpoint.body or endpoint.form)
    assert {str(status) for status in endpoint.responses} <= set(said["responses"])
    assert "500" in said["responses"]
    assert all(said[key] for key in ("summary", "description", "tags", "operationId"))


def test_every_post_that_makes_something_takes_an_idempotency_key() -> None:
    """One that answers 201, or starts something and answers 202; but for answers to what is there already,
    and answers with secrets.
    """
    making = {one.path for one in ENDPOINTS if one.method == "POST" and {201, 202} & one.responses.keys()}
    about_what_is_there = {
        "/api/v1/dags/{id}/clarify",
        "/api/v1/resume-dag/{execution_id}",
        "/api/v1/runs/{id}/resume",
    }
    keyed = {one.path for one in ENDPOINTS if one.keyed}
    never_kept = {"/api/v1/keys"}  # the answer has a secret, which must not be stored with the key
    assert making - about_what_is_there - never_kept <= keyed
    assert all(one.method == "POST" for one in ENDPOINTS if one.keyed)


def security_schemes(document: Any) -> set[str]:
    operations = [one for path in document["paths"].values() for one in path.values()]
    return {name for operation in operations for one in operation["security"] for name in one}


def test_everything_that_is_referred_to_is_there_and_nothing_else(document: Any) -> None:
    parts = document["components"]
    there = {f"#/components/{kind}/{name}" for kind, named in parts.items() for name in named}
    schemes = {f"#/components/securitySchemes/{name}" for name in security_schemes(document)}
    assert set(references(document)) | schemes == there


def test_every_error_has_one_of_three_shapes_with_an_error_text(document: Any) -> None:
    schemas = document["components"]["schemas"]
    for name in ("Refused", "InvalidInput", "Turned"):
        assert schemas[name]["properties"]["error"]["type"] == "string"
        assert "error" in schemas[name]["required"]


def test_fields_are_described_by_the_text_under_them(document: Any) -> None:
    """Inherited ones too, and by their names on the wire."""
    schemas = document["components"]["schemas"]
    assert schemas["CreateDag"]["properties"]["agentName"]["description"].startswith(
        "Name of an active agent"
    )
    assert schemas["ExecutionDetail"]["properties"]["waitingTasks"]["description"].startswith(
        "Number of tasks that wait"
    )


def test_no_default_is_of_another_type_than_its_field(document: Any) -> None:
    for schema in document["components"]["schemas"].values():
        for field in schema.get("properties", {}).values():
            assert field.get("default", "") is not None


# ── the page ────────────────────────────────────────────────────────────────────────────────────────────


class Page(HTMLParser):
    """What is on a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [value for value in (given.get("id"),) if value]
        self.links += [value for value in (given.get("href"), given.get("src")) if value]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def page(document: Any) -> Page:
    return Page(reference(document).decode())


def test_the_page_needs_nothing_from_anywhere_else(page: Page) -> None:
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert {link for link in page.links if not link.startswith("#")} == {"/openapi.json", "/asyncapi.json"}
    assert not any("url(" in word or "@import" in word for word in page.words)


def test_the_page_has_every_operation_and_definition_once(page: Page, document: Any) -> None:
    operations = {one.name for one in ENDPOINTS}
    definitions = {f"schema-{name}" for name in document["components"]["schemas"]}
    assert operations | definitions <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_every_link_on_the_page_leads_somewhere(page: Page) -> None:
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_text_on_the_page_is_text(document: Any) -> None:
    evil = "<script>alert(1)</script> & `<b>`"
    changed = {**document, "info": {**document["info"], "description": evil}}
    found = Page(reference(changed).decode())
    assert "script" not in found.tags
    assert "<b>" in found.words


def test_raw_answers_are_not_json(document: Any) -> None:
    for endpoint in ENDPOINTS:
        for status, answer in endpoint.responses.items():
            if isinstance(answer, Raw):
                content = operation(document, endpoint)["responses"][str(status)]["content"]
                assert list(content) == [answer.media_type]
