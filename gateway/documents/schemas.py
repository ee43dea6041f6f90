"""JSON Schemas of the models. The docstring below a field in the source is its description."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from contracts.core.event import Json

Schema = dict[str, Json]
Mode = Literal["validation", "serialization"]
"""Whether a schema describes input (validation) or output (serialization)."""
REFERENCE = "#/components/schemas/{model}"


def schemas_of(
    wanted: Iterable[tuple[str, Mode, Any]], *, by_alias: bool = True
) -> tuple[Mapping[str, Schema], dict[str, Schema]]:
    """Return the schema of each type, by the given names, and the definitions that they refer to."""
    inputs: list[tuple[str, Mode, TypeAdapter[Any]]] = [
        (name, mode, TypeAdapter(kind)) for name, mode, kind in wanted
    ]
    found, definitions = TypeAdapter.json_schemas(
        inputs, by_alias=by_alias, ref_template=REFERENCE, schema_generator=_Generator
    )
    return {name: schema for (name, _), schema in found.items()}, definitions.get("$defs", {})


def referenced_name(schema: Schema) -> str:
    """Return the name of the definition that a reference points to."""
    return str(schema["$ref"]).rpartition("/")[2]


def described(text: str | None) -> str:
    """Return a docstring as a description."""
    return inspect.cleandoc(text or "")


class _Generator(GenerateJsonSchema):
    """Omits titles that only repeat names, and adds descriptions."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  the base class's signature
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if found.get("default", ...) is None:
            del found["default"]
        return found

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        model: type[BaseModel] = schema["cls"]
        found = super().model_schema(schema)
        found.pop("title", None)
        texts = _field_texts(model)
        for name, field in model.model_fields.items():
            alias = field.serialization_alias if self.mode == "serialization" else field.alias
            key = alias if alias and self.by_alias else name
            one = found.get("properties", {}).get(key)
            if one is not None and name in texts:
                one.setdefault("description", texts[name])
        return found


@cache
def _field_texts(model: type[BaseModel]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            texts |= _texts_under(_classes(base.__module__).get(base.__name__))
    return texts


def _texts_under(node: ast.ClassDef | None) -> dict[str, str]:
    """Return the docstring below each annotated name in the body of a class."""
    return {
        named.target.id: inspect.cleandoc(text.value.value)
        for named, text in pairwise(node.body if node else ())
        if isinstance(named, ast.AnnAssign)
        and isinstance(named.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


@cache
def _classes(module: str) -> dict[str, ast.ClassDef]:
    """Return the syntax trees of a module's classes. Without the source, it returns none."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):
        return {}
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
