"""Texts as clients in JavaScript measure them: in UTF-16 units, of which an emoji takes two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError
from pydantic_core.core_schema import no_info_after_validator_function


def units(text: str) -> int:
    """UTF-16 units of `text`."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(frozen=True, slots=True)
class Length:
    """How many UTF-16 units a text may have."""

    least: int = 0
    most: int | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """JSON Schema counts characters, which are one unit or two: what holds for every text."""
        bounds = {"minLength": (self.least + 1) // 2 or None, "maxLength": self.most}
        return handler(schema) | {name: bound for name, bound in bounds.items() if bound is not None}

    def _checked(self, text: str) -> str:
        length = units(text)
        if length < self.least:
            raise PydanticKnownError("string_too_short", {"min_length": self.least})
        if self.most is not None and length > self.most:
            raise PydanticKnownError("string_too_long", {"max_length": self.most})
        return text


Title = Annotated[str, Length(most=1000)]
