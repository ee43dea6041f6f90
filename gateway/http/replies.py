"""JSON answers."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from aiohttp import web
from pydantic import BaseModel

from contracts.core.event import Json
from contracts.settings.redactor import SECRETS

JSON = "application/json; charset=utf-8"


def json_reply(
    value: BaseModel | Json, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return an answer with `value` as JSON, with secrets redacted. Models in it use their API names."""
    body = SECRETS.json(orjson.dumps(value, default=_model_as_json))
    return web.Response(body=body, status=status, headers={**(headers or {}), "Content-Type": JSON})


def no_content() -> web.Response:
    """Return an answer without a body."""
    return web.Response(status=204)


def _model_as_json(value: object) -> Json:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    raise TypeError(f"{type(value).__name__} is not JSON")
