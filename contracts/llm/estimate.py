"""The most that a call of a model may cost, before it is made."""

from __future__ import annotations

import math
from collections.abc import Mapping

import orjson

from contracts.core.event import Json
from contracts.llm.bill import Tokens

BYTES_PER_TOKEN = 3
"""Bytes of a request in one token. Few texts have less, so the estimate is seldom too low."""


def most_tokens(body: Mapping[str, Json]) -> Tokens:
    """The most tokens of a request with this body, and of its answer."""
    return Tokens(math.ceil(len(orjson.dumps(body)) / BYTES_PER_TOKEN), 0, body["max_tokens"])
