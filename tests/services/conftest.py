"""A gateway over HTTP: memory log, a projector at work, a real server on a free port."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import orjson
import pytest
from aiohttp import ClientSession, web_app
from jsonschema_rs import Draft202012Validator, Registry
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from yarl import URL

from contracts.core.aggregate import Aggregate
from contracts.core.commit import Commit
from contracts.core.event import Event, Json
from contracts.core.ids import new_id
from contracts.llm import LlmSettings
from contracts.runtime.blobs import MemoryBlobs
from contracts.runtime.key_value import KeyValue, MemoryKeyValue
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import Origin, Stream
from gateway.app import ENDPOINTS
from gateway.console.assets import POLICY
from gateway.documents.openapi import template
from gateway.gateway import Gateway
from gateway.llm import LlmConfiguration
from gateway.service import assemble, open_views, running
from gateway.settings import GatewaySettings
from projector.building import Building, build
from projector.projector import Projector, views_fold
from tests.any_source import CODEC
from tests.described import described
from tests.waiting import WAIT_S

ORIGIN = Origin("/test/1")
NO_LLM = LlmSettings(_env_file=None, llm_provider=None, llm_model=None)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Contract:
    """The OpenAPI document, taken at its word: what it does not name must not come."""

    def __init__(self) -> None:
        self._document = deepcopy(described())
        for schema in self._document["components"]["schemas"].values():
            if "properties" in schema:
                schema.setdefault("additionalProperties", False)
        self._registry = Registry([("urn:openapi", self._document)])
        self._validators: dict[str, Draft202012Validator] = {}
        self._endpoints: dict[str, list[tuple[re.Pattern[str], str]]] = defaultdict(list)
        for one in ENDPOINTS:
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template(one.path)))
            pattern = pattern if one.path == template(one.path) else pattern.replace("[^/]+", ".+")
            self._endpoints[one.method].append((re.compile(pattern), template(one.path)))

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Fails when the answer is not one that the document has."""
        found = self._path(method, URL(path, encoded=True).raw_path)
        if found is None:
            of_console = answer.headers.get("content-security-policy") == POLICY
            assert answer.status in {401, 403, 404, 429} or method == "OPTIONS" or of_console
            return
        responses = self._document["paths"][found][{"HEAD": "get"}.get(method, method.lower())]["responses"]
        status = str(answer.status)
        assert status in responses, f"{method} {found} may not answer {status}"
        if method != "HEAD":
            where = ("paths", found, method.lower(), "responses", status)
            pointer = "#" + "".join("/" + part.replace("/", "~1") for part in where)
            self._check_body(responses[status].get("$ref", pointer), answer)

    def _path(self, method: str, path: str) -> str | None:
        known = self._endpoints[{"HEAD": "GET"}.get(method, method)]
        return next((found for pattern, found in known if pattern.fullmatch(path)), None)

    def _check_body(self, pointer: str, answer: Answer) -> None:
        response: Any = self._registry.resolver("urn:openapi").lookup(pointer).contents
        media_type = answer.headers.get("content-type", "")
        if "application/json" not in response.get("content", {}):
            assert answer.status == 204 or not media_type.startswith("application/json"), pointer
            return
        assert media_type == "application/json; charset=utf-8"
        validator = self._validators.get(pointer) or self._validators.setdefault(pointer, self._of(pointer))
        problems = [f"{one.instance_path}: {one.message}" for one in validator.iter_errors(answer.json)]
        assert not problems, f"{pointer}: {problems}"

    def _of(self, pointer: str) -> Draft202012Validator:
        schema = {"$ref": f"urn:openapi{quote(pointer, safe='#/~')}/content/application~1json/schema"}
        return Draft202012Validator(schema, registry=self._registry, validate_formats=True)


@cache
def _contract() -> Contract:
    return Contract()


@pytest.fixture
def contract() -> Contract:
    """What the gateway says of itself, which every answer in these tests is held to."""
    return _contract()


@dataclass
class Api:
    """A gateway and a client of it."""

    gateway: Gateway
    log: MemoryLog
    blobs: MemoryBlobs
    url: URL
    http: ClientSession
    stop: Callable[[], Awaitable[None]] = field(init=False)
    """End the gateway before the test does."""

    async def call(self, method: str, path: str, **options: Any) -> Answer:
        """One request. The path goes over the wire as it is written."""
        url = URL(f"{self.url}{path}", encoded=True)
        async with self.http.request(method, url, **options) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            answer = Answer(response.status, headers, await response.read())
        _contract().check(method, path, answer)
        return answer

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Json = None, **options: Any) -> Answer:
        return await self.call("POST", path, json=body, **options)

    async def patch(self, path: str, body: Json = None, **options: Any) -> Answer:
        return await self.call("PATCH", path, json=body, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self.call("DELETE", path, **options)

    async def write(
        self, aggregate: Aggregate[Any], aggregate_id: str, *events: Event, at: datetime | None = None
    ) -> int:
        """Append one commit, made `at` that time, as another service would, and wait for the views."""
        stream = await Stream.open(self.log, aggregate, aggregate_id, ORIGIN)
        commit = Commit(
            id=new_id(),
            aggregate=aggregate.name,
            aggregate_id=aggregate_id,
            state=aggregate.status(aggregate.fold(events, stream.state)),
            version=stream.version + 1,
            time=at or datetime.now(UTC),
            source=ORIGIN.source,
            events=events,
            correlation_id=ORIGIN.correlation_id,
        )
        seq = await self.log.append(commit, after=stream.seq)
        assert await self.gateway.projected(seq, timeout=WAIT_S)
        return seq


class StartGateway(Protocol):
    """Starts a gateway; `settings` are those of GatewaySettings."""

    async def __call__(
        self,
        *,
        projector: bool = True,
        llm: LlmSettings = NO_LLM,
        log: MemoryLog | None = None,
        key_values: KeyValue | None = None,
        **settings: Any,
    ) -> Api: ...


@pytest.fixture
async def start_gateway(tmp_path: Path) -> AsyncGenerator[StartGateway]:
    """Gateways with settings of the test's own; all end with the test."""
    async with AsyncExitStack() as stack:

        async def start(
            *,
            projector: bool = True,
            llm: LlmSettings = NO_LLM,
            log: MemoryLog | None = None,
            key_values: KeyValue | None = None,
            **settings: Any,
        ) -> Api:
            given = {"data_dir": tmp_path, "artifacts_dir": tmp_path / "artifacts", **settings}
            if projector:
                given.setdefault("views_wait_s", WAIT_S)
            checked = _settings(**given)
            own = await stack.enter_async_context(AsyncExitStack())
            assembled = _api(checked, llm, log, key_values or MemoryKeyValue(), projector=projector)
            api = await own.enter_async_context(assembled)
            api.stop = own.aclose
            return api

        yield start


@pytest.fixture
async def api(start_gateway: StartGateway) -> Api:
    """A gateway whose views follow its log."""
    return await start_gateway()


class _GivenSettings(GatewaySettings):
    """Settings as given, whatever the environment has. Reading that takes longer than most tests."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


@cache
def _default_settings() -> _GivenSettings:
    return _GivenSettings(_env_file=None, host="127.0.0.1", port=0, instance="test", grace_s=0.2)


def _settings(**given: Any) -> GatewaySettings:
    """Settings, validated only where they are not those of every test: that takes longer than most tests."""
    defaults = _default_settings()
    if given.keys() <= {"data_dir", "artifacts_dir", "views_wait_s"}:
        return defaults.model_copy(update=given)
    return _GivenSettings(_env_file=None, **{**defaults.model_dump(exclude_unset=True), **given})


_EMPTY_VIEWS: list[bytes] = []


async def _empty_views(path: Path) -> bytes:
    """Views of an empty log as the projector makes them; once, because that takes longer than most tests."""
    if not _EMPTY_VIEWS:
        await build(MemoryLog(CODEC, MemoryBlobs()), path, views_fold(), Building(0))
        _EMPTY_VIEWS.append(path.read_bytes())
    return _EMPTY_VIEWS[0]


class _SharedCache(dict[Any, Any]):
    """The compiled statements of all views. Compiling them again for each test takes a tenth of its time."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(self._without_dialect(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(self._without_dialect(key), value)

    @staticmethod
    def _without_dialect(key: Any) -> Any:
        """SQLAlchemy makes a dialect for each file, and they are all the same."""
        _, *rest = key
        return tuple(rest)


_COMPILED = _SharedCache()


@asynccontextmanager
async def _api(
    settings: GatewaySettings,
    llm: LlmSettings,
    log: MemoryLog | None,
    key_values: KeyValue,
    *,
    projector: bool,
) -> AsyncGenerator[Api]:
    blobs = MemoryBlobs()
    log = log or MemoryLog(CODEC, blobs)
    if projector and not settings.views_file.exists():
        settings.views_file.write_bytes(await _empty_views(settings.views_file.with_suffix(".first")))
    async with open_views(settings) as views, ClientSession() as http:
        views._engine._compiled_cache = _COMPILED
        gateway = assemble(settings, log, blobs, key_values, views, LlmConfiguration(llm))

        follows = asyncio.Event()

        async def announce(seq: int) -> None:
            gateway.progress.announce(seq)
            follows.set()

        workers = (Projector(log, settings.views_file, announce).run,) if projector else ()
        async with running(gateway, *workers) as (port, _):
            if projector:
                await asyncio.wait_for(follows.wait(), WAIT_S)
            yield Api(gateway, log, blobs, URL(f"http://127.0.0.1:{port}"), http)
    web_app._cached_build_middleware.cache_clear()  # it would keep every gateway of the session in memory
