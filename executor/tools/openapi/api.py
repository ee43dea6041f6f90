"""One HTTP API whose operations are tools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
import structlog
from aiohttp import ClientConnectorError, ClientError, ClientResponse, ClientSession, ClientTimeout

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from contracts.core.tool import Effect
from contracts.core.waiting import doubled
from contracts.openapi import InvalidArguments, Operation, Unreadable, operations
from executor.tools.described import SchemaInput, description_of, input_of, name_of
from executor.tools.openapi.config import ApiConfig
from executor.tools.openapi.translate import (
    NoAddress,
    address_of,
    effect_of,
    key_header,
    outward_of,
    schema_of,
)
from executor.tools.threads import FILES
from executor.tools.tool import CallContext, Tool
from executor.tools.web import raise_for_retry, read_answer, read_at_most, status_line

MAX_DOCUMENT_BYTES = 20_000_000
MAX_ANSWER_BYTES = 2_000_000
MAX_ERROR_BYTES = 4000
READ_S = 30.0
"""Maximum seconds to read the document."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0

logger = structlog.get_logger(__name__)

Offer = Callable[[Tool[Any]], None]
"""Adds a tool to the registry."""


class Api:
    """One API. Its tools are offered as soon as its document has been read."""

    def __init__(self, name: str, config: ApiConfig, http: ClientSession, offer: Offer) -> None:
        self.name = name
        self.listed = asyncio.Event()
        """Set when the tools are offered."""
        self._config = config
        self._http = http
        self._offer = offer

    async def run(self) -> None:
        """A worker: read the document and offer the tools; try again with back-off, until cancelled."""
        failures = 0
        while not self.listed.is_set():
            try:
                document = await self._document()
                address = address_of(document, self._config, self._config.document)
                offered = self._offer_tools(document, address)
            except (ClientError, OSError, TimeoutError, Unreadable, NoAddress, ValueError) as error:
                failures += 1
                pause = doubled(FIRST_PAUSE_S, failures, LONGEST_PAUSE_S)
                problem = str(error) or type(error).__name__
                logger.warning("an API cannot be offered", api=self.name, error=problem, retry_in_s=pause)
                await asyncio.sleep(pause)
            else:
                logger.info("offering the operations of an API", api=self.name, tools=offered)
                self.listed.set()
        await asyncio.Event().wait()

    async def _document(self) -> Mapping[str, Json]:
        source = self._config.document
        if not source.startswith(("http://", "https://")):
            content = await FILES.run(Path(source).read_bytes)
        else:
            timeout, headers = ClientTimeout(READ_S), self._config.headers
            async with self._http.get(
                source,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,  # a redirect could carry the headers elsewhere
            ) as response:
                if 300 <= response.status < 400:
                    raise Unreadable(f"{source} redirects: set `document` to the address it redirects to")
                if response.status != HTTPStatus.OK:
                    raise Unreadable(f"{source}: {status_line(response)}")
                content, more = await read_at_most(response, MAX_DOCUMENT_BYTES)
                if more:
                    raise Unreadable(f"{source} is larger than {MAX_DOCUMENT_BYTES} bytes")
        document = orjson.loads(content)
        if not isinstance(document, Mapping):
            raise Unreadable(f"{source} is not a JSON object")
        return document

    def _offer_tools(self, document: Mapping[str, Json], address: str) -> int:
        wanted = [one for one in operations(document) if self._config.offers(one.name)]
        offered = 0
        for operation in wanted:
            try:
                self._offer(self._tool(operation, address))
                offered += 1
            except ValueError as error:
                logger.warning(
                    "ignoring an operation", api=self.name, operation=operation.name, error=str(error)
                )
        return offered

    def _tool(self, operation: Operation, address: str) -> Tool[SchemaInput]:
        effect = effect_of(operation, self._config)

        async def run(given: SchemaInput, call: CallContext) -> Json:
            return await self._call(operation, effect, address, given.arguments, call)

        return Tool(
            name=name_of(self.name, operation.name),
            description=description_of(operation.description or f"{operation.method} {operation.path}"),
            accepts=input_of(schema_of(operation)),
            effect=effect,
            outward=outward_of(operation, self._config),
            third_party=True,
            run=run,
            timeout_s=self._config.timeout_s,
        )

    async def _call(
        self,
        operation: Operation,
        effect: Effect,
        address: str,
        arguments: Mapping[str, Json],
        call: CallContext,
    ) -> Json:
        key = key_header(operation)
        try:
            request = operation.request({**arguments, **({key: call.idempotency_key} if key else {})})
        except InvalidArguments as error:
            raise Reject(str(error)) from error
        try:
            async with self._http.request(
                request.method,
                address + request.path,
                params=[(name, value) for name, values in request.query.items() for value in values],
                headers={"Accept": "application/json, */*;q=0.1", **request.headers, **self._config.headers},
                json=request.body,
                timeout=ClientTimeout(total=None),  # the tool has one
                allow_redirects=False,  # a redirect could carry the headers elsewhere
            ) as response:
                return await _result(response, effect)
        except ClientConnectorError as error:
            raise Retry(f"cannot reach {self.name} at {address}: {error}") from error


async def _result(response: ClientResponse, effect: Effect) -> Json:
    """The answer of a successful call.

    Raises:
        Retry: the API may answer later, and the call may be repeated.
        Reject: the API refused the call, or it is not known what it did. The message quotes its answer.
    """
    if 200 <= response.status < 300:
        return await read_answer(response, MAX_ANSWER_BYTES)
    if effect is not Effect.ONCE or response.status == HTTPStatus.TOO_MANY_REQUESTS:
        raise_for_retry(response)
    said, _ = await read_at_most(response, MAX_ERROR_BYTES)
    text = " ".join(said.decode("utf-8", "replace").split())
    unknown = " It may have taken effect." if response.status >= 500 else ""
    raise Reject(f"{status_line(response)}.{unknown} {text}".rstrip())
