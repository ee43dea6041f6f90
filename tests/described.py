"""The API as its OpenAPI document describes it."""

from __future__ import annotations

from functools import cache
from typing import Any

from gateway.app import ENDPOINTS
from gateway.documents.openapi import openapi


@cache
def described() -> Any:
    """The OpenAPI document, which takes a second to make. Tests share it: do not change it."""
    return openapi(ENDPOINTS)
