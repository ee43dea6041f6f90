"""What a local system is made of: supervised processes, a claim on the data directory, ports and lines."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.runtime.consumer.parking import Parked, park, parked_messages
from contracts.runtime.nats.connection import Connection, connect
from contracts.runtime.process.settings import Durability, Settings
from contracts.runtime.topology import ensure_topology
from contracts.settings.secret_files import InvalidSettings
from deploy.cli.operator.parked import redeliver, show_parked
from deploy.local.attach import NoSystem, attached
from deploy.local.child import Backoff, Child
from deploy.local.data_lock import Claim, InUse, claim_on, claimed, ports_of
from deploy.local.forks import ForkServer, Program, fork_server
from deploy.local.log_lines import LineFile, LinePrinter
from deploy.local.ports import NoPort, Ports, PortTaken, free_port
from deploy.local.settings import LocalSettings, options_of
from deploy.local.system import SECRETS, Options, _assemble, _own_nats
from deploy.terminal import Terminal

if TYPE_CHECKING:
    from tests.conftest import Eventually

FOR_EVER = "import signal; print('up', flush=True); signal.pause()"


def child(program: str, lines: list[str]) -> Child:
    """A Python program under supervision."""
    spawn = partial(asyncio.create_subprocess_exec, sys.executable, "-c", program, stdout=PIPE, stderr=STDOUT)
    return Child("it", spawn, lambda name, line: lines.append(f"{name}: {line}"))


async def test_a_killed_process_is_started_again(eventually: Eventually) -> None:
    lines: list[str] = []
    one = child(FOR_EVER, lines)
    await one.start()
    await eventually(lambda: lines == ["it: up"])
    first = one.pid
    one.kill()
    await eventually(lambda: lines[1:] == ["it: ended with SIGKILL; starting it again in 0.01 s", "it: up"])
    assert one.pid not in {None, first}
    await one.stop()
    assert one.starts == 2


async def test_a_process_that_was_told_to_stop_stays_so(eventually: Eventually) -> None:
    lines: list[str] = []
    drains = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('drained'))); "
    one = child(drains + FOR_EVER, lines)
    await one.start()
    await eventually(lambda: lines == ["it: up"])
    await one.stop()
    assert lines == ["it: up", "it: drained"]


async def test_a_process_that_is_being_started_when_it_is_told_to_stop_is_stopped(
    eventually: Eventually,
) -> None:
    started: list[asyncio.subprocess.Process] = []
    go_on = asyncio.Event()
    go_on.set()

    async def spawn() -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", FOR_EVER, stdout=PIPE)
        started.append(process)
        await go_on.wait()
        return process

    one = Child("it", spawn, lambda *_: None)
    await one.start()
    go_on.clear()
    one.kill()
    await eventually(lambda: len(started) == 2)
    stopping = asyncio.create_task(one.stop())
    await asyncio.sleep(0)  # noqa: TID251  a turn of the loop, not time
    go_on.set()
    await stopping
    assert [process.returncode for process in started] == [-signal.SIGKILL, -signal.SIGTERM]


async def test_a_process_is_never_blocked_by_its_output(eventually: Eventually) -> None:
    """Megabytes without a line break, bytes that are no text, a last line that is not ended."""
    lines: list[str] = []
    writes = (
        "import sys; out = sys.stdout.buffer; out.write(b'x' * 3_000_000 + b'\\n\\xff\\nend'); out.flush()"
    )
    one = child(writes, lines)
    await one.start()
    await eventually(lambda: "it: end" in lines)
    await one.stop()
    of_the_first = lines[: lines.index("it: end")]
    assert sum(line.count("x") for line in of_the_first) == 3_000_000
    assert "it: \N{REPLACEMENT CHARACTER}" in lines


def test_a_process_that_keeps_ending_is_restarted_after_growing_pauses() -> None:
    backoff = Backoff()
    assert [backoff.after(0.1) for _ in range(8)] == [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28]
    assert backoff.after(60) == 0.01


def test_a_data_directory_has_one_system(tmp_path: Path) -> None:
    with claimed(tmp_path / "new" / "data") as announce:
        announce(Claim(pid=7, url="http://127.0.0.1:3000", nats_url="nats://127.0.0.1:4222"))
        with (
            pytest.raises(InUse, match=r"process 7, http://127\.0\.0\.1:3000"),
            claimed(tmp_path / "new/data"),
        ):
            pytest.fail("two systems on one directory")
    assert claim_on(tmp_path / "new" / "data") is None
    with claimed(tmp_path / "new" / "data"):
        assert claim_on(tmp_path / "new" / "data") == Claim(pid=os.getpid())


def test_a_data_directory_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InUse, match="--data"), claimed(tmp_path / "file"):
        pytest.fail("a file is no directory")


async def test_a_directory_without_a_system_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NATS_URL", raising=False)
    with pytest.raises(NoSystem, match="--data"):
        async with attached(LocalSettings().data_dir, None):
            pytest.fail("there is nothing")


def test_the_wanted_port_is_given_unless_somebody_has_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert free_port("127.0.0.1", port) != port
    assert free_port("127.0.0.1", port) == port
    assert free_port("127.0.0.1", port, taken={port}) != port


@pytest.mark.parametrize("folder", [".", "..", "./data", "data/..", "/"])
def test_files_of_steps_are_kept_apart_from_settings_and_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidSettings, match="ARTIFACTS_DIR"):
        LocalSettings(artifacts_dir=Path(folder))
    with pytest.raises(InvalidSettings, match="ARTIFACTS_DIR"):
        Settings(artifacts_dir=Path(folder))
    assert Settings(artifacts_dir=Path("data/artifacts")).data_dir == Path("data")


def test_files_of_steps_are_in_the_data_directory_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ARTIFACTS_DIR", raising=False)
    settings = LocalSettings(data_dir=tmp_path / "X")
    assert options_of(settings).env["ARTIFACTS_DIR"] == str(tmp_path / "X" / "artifacts")
    monkeypatch.setenv("ARTIFACTS_DIR", "files")
    settings = LocalSettings(data_dir=tmp_path / "X")
    assert options_of(settings).env["ARTIFACTS_DIR"] == str(tmp_path / "files")


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_a_chosen_port_that_is_taken_is_an_error(taken_port: int) -> None:
    with pytest.raises(PortTaken, match=rf"port {taken_port} \(nats\) is taken"):
        Ports({}).choose("nats", "127.0.0.1", taken_port, default=4222)


def test_a_default_port_that_is_taken_is_replaced_and_the_replacement_kept(
    taken_port: int, tmp_path: Path
) -> None:
    """Over restarts, and when the default is free again; a port that is chosen is stronger."""
    first = Ports({})
    port = first.choose("nats", "127.0.0.1", None, default=taken_port)
    assert (port != taken_port, first.moved) == (True, {"nats": taken_port})
    with claimed(tmp_path) as announce:
        announce(Claim(pid=7, ports=first.chosen))
    with claimed(tmp_path):
        assert ports_of(tmp_path) == {"nats": port}
    assert claim_on(tmp_path) is None

    again = Ports(ports_of(tmp_path))
    assert again.choose("nats", "127.0.0.1", None, default=taken_port) == port
    free = free_port("127.0.0.1", 0)
    assert Ports(ports_of(tmp_path)).choose("nats", "127.0.0.1", free, default=taken_port) == free


def test_no_two_parts_of_a_system_get_the_same_port() -> None:
    port = free_port("127.0.0.1", 0)
    ports = Ports({})
    assert ports.choose("executor", "127.0.0.1", None, default=port) == port
    assert ports.choose("scheduler", "127.0.0.1", None, default=port) != port


@pytest.mark.nats
async def test_a_system_lets_its_log_of_an_earlier_version_take_batches(tmp_path: Path) -> None:
    options = Options(tmp_path, durability=Durability.FAST)
    for changed in ({"allow_atomic": False}, {}):
        async with AsyncExitStack() as stack:
            nats = await _own_nats(stack, options, Ports({}), lambda *_: None)
            operator = await stack.enter_async_context(connect(nats.url, name="test"))
            await ensure_topology(operator)
            config = (await operator.api("STREAM.INFO.LOG"))["config"]
            assert config.get("allow_atomic")
            await operator.api("STREAM.UPDATE.LOG", config | changed)


def test_a_service_gets_only_the_secrets_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "SMTP_PASS", "WEBHOOK_SECRET"):
        monkeypatch.setenv(name, "secret")
    programs = _assemble(Options(tmp_path), None, Ports({}), ForkServer({}), lambda *_: None).programs
    assert {name: sorted(set(SECRETS) & set(one.env)) for name, one in programs.items()} == {
        "projector": [],
        "gateway": ["OPENAI_API_KEY"],
        "planner": ["OPENAI_API_KEY"],
        "executor": ["OPENAI_API_KEY", "SMTP_PASS", "WEBHOOK_SECRET"],
        "scheduler": [],
    }


@pytest.mark.parametrize("given", [None, "https://agent.example.org"])
def test_services_know_the_address_of_the_api(tmp_path: Path, given: str | None) -> None:
    options = Options(tmp_path, public_url=given)
    system = _assemble(options, None, Ports({}), ForkServer({}), lambda *_: None)
    assert system.programs["executor"].env["PUBLIC_URL"] == (given or system.url)


async def test_a_file_of_the_current_folder_is_never_run_as_a_service(
    tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor as a module that a service imports."""
    (tmp_path / "contracts").mkdir()
    for name in ("scheduler.py", "contracts/__init__.py"):
        (tmp_path / name).write_text("print('taken over', flush=True)")
    lines: list[str] = []
    monkeypatch.chdir(tmp_path)
    wrong = Program("scheduler", {**os.environ, "NATS_URL": "http://[::1"}, tmp_path)
    async with fork_server(os.environ) as forks:
        one = Child("it", partial(forks.fork, wrong), lambda _, line: lines.append(line))
        await one.start()
        await eventually(lambda: any("NATS_URL is not a valid URL" in line for line in lines))
        await one.stop()
    assert "taken over" not in lines


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_a_foreign_host_address_is_reported(host: str) -> None:
    with pytest.raises(NoPort, match="--host"):
        free_port(host, 0)


def test_lines_stand_behind_aligned_names_and_nothing_in_them_is_markup(tmp_path: Path) -> None:
    console = Terminal(file=io.StringIO(), width=40)
    printed = LinePrinter(console, ["gateway", "nats"])
    with LineFile(tmp_path / "log") as filed:
        for name, line in (
            ("gateway", "[bold]a line that is longer than the terminal is wide[/bold]"),
            ("nats", "[INF] Server is ready"),
            ("nats", "[ERR] out of disk"),
        ):
            printed(name, line)
            filed(name, line)
        assert filed.tail(1) == "nats | [ERR] out of disk\n"
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines() == [
        "gateway │ [bold]a line that is longer than the terminal is wide[/bold]",
        "nats    │ [ERR] out of disk",
    ]


@pytest.mark.nats
async def test_parked_messages_are_listed_and_given_back(connection: Connection) -> None:
    subject, payload = "evt.run.r1.pending", b'[{"broken": true}]'
    ack = await connection.js.publish(subject, payload)
    console = Terminal(file=io.StringIO(), width=200)
    await park(
        connection,
        Parked.model_validate(
            {
                "consumer": "executor",
                "seq": ack.seq,
                "subject": subject,
                "reason": "no such field",
                "error": "Undecodable",
                "attempt": 3,
                "time": "2026-01-01T00:00:00Z",
                "payload": [],
            }
        ),
        delivery="d1",
    )
    await show_parked(connection, console)
    await redeliver(connection, [1], console)
    await show_parked(connection, console)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "Undecodable: no such field (attempt 3)" in shown
    assert shown.splitlines()[-2:] == ["1 will be delivered again", "nothing is parked"]


@pytest.mark.nats
async def test_retry_without_numbers_skips_messages_that_no_service_takes(connection: Connection) -> None:
    """A message that is no commit is parked for all readers; the ones after it are delivered again."""
    console = Terminal(file=io.StringIO(), width=200)
    for consumer in ("readers", "executor"):
        ack = await connection.js.publish(f"evt.run.{consumer}.pending", b"garbage")
        message = Parked(
            consumer=consumer,
            seq=ack.seq,
            subject=f"evt.run.{consumer}.pending",
            reason="not JSON",
            error="Undecodable",
            attempt=1,
            time=datetime(2026, 1, 1, tzinfo=UTC),
            payload="garbage",
        )
        await park(connection, message, delivery=consumer)
    await redeliver(connection, [], console)
    assert [message.consumer for _, message in await parked_messages(connection)] == ["readers"]
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert said.startswith("1 will be delivered again\n1 of 2 are not commits")


async def test_a_status_names_the_signal(eventually: Eventually) -> None:
    lines: list[str] = []
    one = child("raise SystemExit(3)", lines)
    await one.start()
    await eventually(lambda: any("ended with status 3" in line for line in lines))
    await one.stop()
    assert signal.SIGKILL.name not in "".join(lines)
