"""Operations of OpenAPI documents, as they are written by hand and by frameworks."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from contracts.openapi import InvalidArguments, Operation, Unreadable, operations
from gateway.app import ENDPOINTS
from tests.described import described

PETS: dict[str, Any] = {
    "openapi": "3.0.3",
    "paths": {
        "/pets/{petId}": {
            "parameters": [{"$ref": "#/components/parameters/PetId"}],
            "get": {"operationId": "getPet", "summary": "Get a pet", "description": "By its id."},
            "put": {
                "operationId": "putPet",
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}
                },
            },
            "delete": {
                "parameters": [
                    {"name": "petId", "in": "path", "required": True, "schema": {"type": "integer"}},
                    {"name": "X-Reason", "in": "header", "schema": {"type": "string"}},
                    {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
                    {"name": "session", "in": "cookie", "schema": {"type": "string"}},
                ]
            },
        },
        "/pets": {
            "get": {
                "operationId": "findPets",
                "parameters": [
                    {
                        "name": "tags",
                        "in": "query",
                        "description": "Any of them.",
                        "schema": {"type": "array", "items": {"type": "string"}},
                    },
                    {"name": "sold", "in": "query", "schema": {"type": "boolean"}},
                ],
            },
            "post": {
                "operationId": "addPets",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}}
                        }
                    },
                },
            },
        },
        "/photos": {"post": {"requestBody": {"content": {"multipart/form-data": {"schema": {}}}}}},
    },
    "components": {
        "parameters": {
            "PetId": {"name": "petId", "in": "path", "required": True, "schema": {"type": "string"}}
        },
        "schemas": {
            "Pet": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "parents": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}},
                },
                "required": ["name"],
            }
        },
    },
}


def pet(name: str) -> Operation:
    return next(one for one in operations(PETS) if one.name == name)


def test_operations_with_forms_are_left_out_and_those_without_an_id_get_a_name() -> None:
    assert [one.name for one in operations(PETS)] == [
        "getPet",
        "putPet",
        "delete_pets_petId",
        "findPets",
        "addPets",
    ]


def test_the_arguments_of_an_operation_are_one_schema() -> None:
    put = pet("putPet")

    assert put.parameters["required"] == ["petId", "name"]
    assert put.parameters["properties"]["parents"]["items"] == {"$ref": "#/$defs/Pet"}
    assert set(put.parameters["$defs"]) == {"Pet"}
    Draft202012Validator(put.parameters).validate({"petId": "1", "name": "Rex", "parents": [{"name": "Max"}]})
    assert not Draft202012Validator(put.parameters).is_valid({"petId": "1", "name": "Rex", "age": 3})


def test_each_argument_is_sent_where_it_belongs() -> None:
    assert pet("getPet").request({"petId": "a/b c"}).path == "/pets/a%2Fb%20c"
    assert pet("findPets").request({"tags": ["a", "b"], "sold": True, "x": None}).query == {
        "tags": ["a", "b"],
        "sold": ["true"],
    }
    assert pet("putPet").request({"petId": 1, "name": "Rex"}).body == {"name": "Rex"}
    assert pet("addPets").request({"body": [{"name": "Rex"}]}).body == [{"name": "Rex"}]
    assert pet("delete_pets_petId").request({"petId": 7, "X-Reason": "sold"}).headers == {"X-Reason": "sold"}


@pytest.mark.parametrize("value", ["", ".", "..", None])
def test_a_path_without_its_variable_is_not_sent(value: Any) -> None:
    with pytest.raises(InvalidArguments, match="petId"):
        pet("getPet").request({"petId": value})


@pytest.mark.parametrize("arguments", [{"petId": "1", "nmae": "Rex"}, {"petId": {"id": 1}, "name": "Rex"}])
def test_arguments_that_cannot_be_sent_are_named(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments, match=r"nmae|petId"):
        pet("putPet").request(arguments)


def test_the_methods_say_what_a_second_call_does() -> None:
    assert [(one.is_safe, one.is_idempotent) for one in operations(PETS)] == [
        (True, True),
        (False, True),
        (False, True),
        (True, True),
        (False, False),
    ]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"swagger": "2.0", "paths": {}},
        {"openapi": "3.1.0"},
        {"openapi": "3.1.0", "paths": {"/a": {"$ref": "#/nowhere"}}},
        {"openapi": "3.1.0", "paths": {"/a": {"$ref": "other.yaml#/a"}}},
        {"openapi": "3.1.0", "paths": {"/a": {"$ref": "#/paths/~1a"}}},
    ],
)
def test_a_document_that_cannot_be_read_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        operations(document)


def test_the_document_of_the_gateway_is_read_whole() -> None:
    found = operations(described())

    without_forms = [one for one in ENDPOINTS if one.form is None or one.body]
    assert len(found) == len(without_forms)
    for one in found:
        Draft202012Validator.check_schema(one.parameters)
