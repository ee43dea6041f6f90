"""The requests of every route, and what a refusal leaves behind: nothing."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from gateway.app import ENDPOINTS
from gateway.documents.openapi import template
from gateway.documents.reference_schemas import sample
from gateway.endpoint import Endpoint
from tests import jobs
from tests.described import described

if TYPE_CHECKING:
    from tests.services.conftest import Api


JSON = {"Content-Type": "application/json"}
DOCUMENT = described()
DEFINITIONS = DOCUMENT["components"]["schemas"]
WITH_BODY = [one for one in ENDPOINTS if one.body]
JOB = jobs.job(validation={"coverage": "high"})


def path_of(endpoint: Endpoint, value: str = "x") -> str:
    """Its path, with the same text for every variable."""
    path = template(endpoint.path)
    while "{" in path:
        path = path[: path.index("{")] + value + path[path.index("}") + 1 :]
    return path


def schema_of(endpoint: Endpoint) -> Any:
    """The JSON Schema of its body."""
    assert endpoint.body is not None
    return DEFINITIONS[endpoint.body.__name__]


def body_of(endpoint: Endpoint) -> Any:
    """A body that is as it must be."""
    return sample(schema_of(endpoint), DEFINITIONS) if endpoint.body else None


class Refusals:
    """Collects what was not refused as it should be."""

    def __init__(self, api: Api, before: int) -> None:
        self._api = api
        self._before = before
        self.wrong: list[str] = []

    async def expect(self, asking: Awaitable[Any], *statuses: int, about: str) -> Any:
        """One request, which must be answered so, with a text that says why."""
        answer = await asking
        seq = await self._api.log.last_seq()
        error = answer.json.get("error") if answer.body and answer.status >= 400 else None
        if answer.status not in statuses or not (isinstance(error, str) and error) or seq != self._before:
            self.wrong.append(f"{about}: {answer.status} {answer.body[:200]!r}, {seq - self._before} written")
            self._before = seq
        return answer


def name_of(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"
