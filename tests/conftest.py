"""Fixtures for every test: a real NATS where one is asked for, and the one way to wait for a fact."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import shutil
import signal
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TypeVar, overload

import hypothesis
import pytest
import structlog
from trustme import CA

from contracts.runtime.nats.connection import Connection, connect
from contracts.runtime.process.settings import Durability
from contracts.runtime.topology import ensure_topology
from deploy.local import forks
from deploy.local.nats_server import NatsServer, running
from tests import shared_nats
from tests.forked.python import SERVICES, ForkedPython
from tests.shared_nats import SharedNats
from tests.waiting import WAIT_S

T = TypeVar("T")

# `make test` asks the same questions each time, `make fuzz` other ones, and more.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=40, derandomize=True)
hypothesis.settings.register_profile("deep", deadline=None, max_examples=1000)
hypothesis.settings.load_profile("quick")

NATS_IMAGE = "nats:2.15-alpine"
POLL_S = 0.005
LONGEST_POLL_S = 0.05
"""Pauses grow up to this: to ask takes CPU time, of services, too."""
YOUNG_OBJECTS = 20_000
"""How many begin a garbage collection. With Python's 700 they take a twentieth of the time."""
_LOG_PROCESSORS = structlog.get_config()["processors"]


class Eventually(Protocol):
    """Waits until a condition holds and gives what it gave."""

    @overload
    async def __call__(self, condition: Callable[[], Awaitable[T]], *, timeout: float = WAIT_S) -> T: ...
    @overload
    async def __call__(self, condition: Callable[[], T], *, timeout: float = WAIT_S) -> T: ...


@pytest.fixture
def eventually() -> Eventually:
    """`await eventually(lambda: done)`: polls until true; fails after `timeout` seconds."""

    async def wait(condition: Callable[[], Any], *, timeout: float = WAIT_S) -> Any:
        answer: Any = None
        pause_s = POLL_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while True:
                    given = condition()
                    answer = await given if inspect.isawaitable(given) else given
                    if answer:
                        return answer
                    await asyncio.sleep(pause_s)  # noqa: TID251  the one place where tests poll
                    pause_s = min(1.5 * pause_s, LONGEST_POLL_S)
        pytest.fail(f"still {answer!r} after {timeout:g} s")

    return wait


def pytest_collection() -> None:
    """Collect without garbage collections. They find nothing and take a tenth of the time."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave what collecting made out of garbage collections, which else take a second. Make them rare."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
    gc.enable()


def pytest_sessionstart() -> None:
    """Let Ctrl-C end the tests by a handler that asyncio leaves alone.

    It replaces Python's own for each coroutine that pytest-asyncio runs, and `signal` then makes the `repr`
    of the handler, with the task and its result.
    """
    signal.signal(signal.SIGINT, _interrupt)


@pytest.fixture(autouse=True)
def structlog_of_the_test() -> Iterator[None]:
    """Commands send logs to the stderr of their moment, which is closed when their test is over.

    Tracebacks are plain: those that structlog draws where rich is installed take a second each.
    """
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*_LOG_PROCESSORS[:-1], plain])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Trust one authority. A client of a model else reads all that there are, which takes 40 ms."""
    file = tmp_path_factory.mktemp("tls") / "authority.pem"
    CA().cert_pem.write_to_path(str(file))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_starts() -> Iterator[None]:
    """Do not ask the kernel to end a nats-server with the process of the tests: fixtures stop it.

    A function that is called before the program runs makes Python fork the process, which takes 80 ms.
    test_everything_ends_with_a_killed_up has the servers of the product.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deploy.local.nats_server.end_with_parent", None)
        yield


@pytest.fixture(scope="session")
def forked_services(forked_python: ForkedPython) -> Iterator[None]:
    """Fork servers of local systems do not import anything, either."""
    python = forked_python.with_imports(*SERVICES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forks, "python_module", lambda module: [python, "-P", "-m", module])
        yield


@pytest.fixture
async def nats_server(tmp_path: Path) -> AsyncGenerator[NatsServer]:
    """A nats-server of the test's own, which it may stop, kill and start again; ready in 20 ms."""
    async with running(NatsServer(tmp_path / "nats", durability=Durability.FAST)) as server:
        yield server


@pytest.fixture(scope="session")
def nats_container() -> Iterator[str | None]:
    """URL of a NATS container for the whole session, or None where no Docker engine answers."""
    if not _docker_engine_answers():
        yield None
        return
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415  half a second, and rarely needed
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy  # noqa: PLC0415

    ready = LogMessageWaitStrategy("Server is ready")
    nats = DockerContainer(NATS_IMAGE).with_command("-js").with_exposed_ports(4222).waiting_for(ready)
    with nats as container:
        yield f"nats://{container.get_container_host_ip()}:{container.get_exposed_port(4222)}"


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedNats]:
    """A nats-server that tests share: none stops it. It has the users of a system."""
    with shared_nats.shared_server(tmp_path_factory.mktemp("nats")) as shared:
        yield shared


@pytest.fixture(scope="session")
def shared_container(nats_container: str | None) -> Iterator[SharedNats | None]:
    """The container, or None where no Docker engine answers."""
    if nats_container is None:
        yield None
        return
    with shared_nats.shared_nats(nats_container) as shared:
        yield shared


@pytest.fixture
def any_nats(shared_container: SharedNats | None, request: pytest.FixtureRequest) -> SharedNats:
    """The container where there is one, else a server of the wheel."""
    found: SharedNats = shared_container or request.getfixturevalue("shared_server")
    return found


@pytest.fixture
def nats_url(any_nats: SharedNats) -> str:
    """A NATS without any message or consumer."""
    any_nats.empty()
    return any_nats.url


@pytest.fixture
async def connection(nats_url: str) -> AsyncGenerator[Connection]:
    """Connected to a NATS that has our streams, all empty."""
    async with connect(nats_url, name="test") as connection:
        await ensure_topology(connection)
        yield connection


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.default_int_handler(number, frame)


def _docker_engine_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        asked = subprocess.run([docker, "version"], capture_output=True, timeout=5, check=False)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0
