"""The command line: quick to start, and honest to scripts."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.client import ClarificationRequired, Refused, Unreachable
from contracts.runtime.consumer.parking import NotParked
from contracts.runtime.process.settings import Durability
from deploy.cli.execute import SIGNALS, Status, execute
from deploy.cli.main import app
from deploy.cli.resources import RESOURCES
from deploy.cli.up import reader_command
from deploy.local.attach import NoSystem
from deploy.local.data_lock import InUse
from deploy.local.settings import local_settings

COMMANDS = (
    *RESOURCES,
    "goals create",
    "runs watch",
    "schedules ticks",
    "artifacts get",
    "tasks run",
    "up",
    "run",
    "demo",
    "run-goal",
    "watch",
    "scripted-llm",
    "views rebuild",
    "parked retry",
    "bench",
)


def typed() -> list[list[str]]:
    """The commands of the README, split as the shell does."""
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"```bash\n(.+?)```", readme, re.DOTALL)).replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in blocks.splitlines() if "async-agent " in line]
    words = [word for line in lines for word in [*line, "&&"]]
    starts = [number for number, word in enumerate(words) if word.endswith("async-agent")]
    stops = {"&&", "&", ">", "async-agent"}
    return [list(takewhile(lambda word: word not in stops, words[start + 1 :])) for start in starts]


@pytest.mark.parametrize("words", typed(), ids=" ".join)
def test_each_command_of_the_readme_has_the_options_it_is_given(words: list[str]) -> None:
    command = list(takewhile(lambda word: re.fullmatch(r"[a-z-]+", word) and word[0] != "-", words[:2]))
    shown = CliRunner().invoke(app, [*command, "--help"])
    assert shown.exit_code == 0, command
    assert [word for word in words if word.startswith("--") and word not in shown.output] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert (shown.exit_code, "Usage:" in shown.output) == (0, True)


def test_asking_for_help_loads_no_service_library() -> None:
    """What a command needs is imported when it runs."""
    heavy = "{'aiohttp', 'nats', 'pydantic', 'sqlalchemy', 'structlog', 'contracts'}"
    program = f"import sys, deploy.cli.main; print(*({heavy} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


@pytest.mark.parametrize(
    ("error", "status", "advice"),
    [
        (Unreachable("nobody is there"), Status.UNUSABLE, "ASYNC_AGENT_URL"),
        (Refused(404, {"error": "no such execution"}), Status.UNUSABLE, "no such execution"),
        (Refused(503, {"error": "set LLM_PROVIDER"}), Status.FAILED, "set LLM_PROVIDER"),
        (ClarificationRequired("dag-1", "Which farm?"), Status.FAILED, "async-agent dags clarify dag-1"),
        (InUse("somebody else has it"), Status.UNUSABLE, "somebody else has it"),
        (NoSystem("nothing there"), Status.UNUSABLE, "nothing there"),
        (NotParked("no message 7"), Status.UNUSABLE, "no message 7"),
    ],
)
def test_an_error_is_one_message_and_a_status(
    error: Exception, status: Status, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fail() -> Status:
        raise error

    assert execute(fail()) is status
    assert advice in capsys.readouterr().err


def test_a_bug_is_raised_and_not_shown_as_an_error_of_the_user() -> None:
    async def fail() -> Status:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        execute(fail())


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_lets_a_command_clean_up(number: signal.Signals) -> None:
    cleaned = False

    async def wait_for_ever() -> Status:
        nonlocal cleaned
        os.kill(os.getpid(), number)
        try:
            await asyncio.Event().wait()
        finally:
            cleaned = True
        return Status.DONE

    assert execute(wait_for_ever()) is Status.INTERRUPTED
    assert cleaned


def test_a_command_that_was_to_be_stopped_has_not_failed() -> None:
    async def serve() -> Status:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()
        return Status.FAILED

    assert execute(serve(), interrupted=Status.DONE) is Status.DONE


def test_an_option_overrides_the_environment_which_overrides_the_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("PORT=1111\nDURABILITY=fast\nEXECUTORS=2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "2222")
    monkeypatch.setenv("EXECUTORS", "3")
    settings = local_settings(executors=4, port=None)
    assert (settings.executors, settings.port, settings.durability) == (4, 2222, Durability.FAST)


def test_an_invalid_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "many")
    shown = CliRunner().invoke(app, ["up"])
    assert shown.exit_code == Status.UNUSABLE
    assert "PORT: Input should be a valid integer" in shown.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("goals danced", "No such command"),
        ("goals list --limit none", "--limit"),
        ("goals create short", "objective"),
        ("goals run goal_1 --budget usd", "--budget usd: give a limit and an amount, such as usd=0.5"),
        (
            "dags run dag_1 --budget used=1",
            "budget: Unrecognized key(s) in object: 'used'; did you",
        ),
        ("goals create grow-a-garden --budget steps=many", "'many' is not a number; write it as usd=0.5"),
        ("goals create grow-a-garden --budget steps=-1", "params.budget.steps: Number must be greater"),
        ("runs list --url http://127.0.0.1:1", "ASYNC_AGENT_URL"),
        ("artifacts get x --url http://127.0.0.1:1", "ASYNC_AGENT_URL"),
        ("tasks run Poet rhyme --temperature 3", "temperature"),
        ("tasks run Poet rhyme --file nowhere.txt", "nowhere.txt"),
        ("experiments goal --provider ollama --temperature 0", "--model"),
        ("events --count 0", "--count"),
        ("scripted-llm --rules nowhere.toml", "nowhere.toml"),
        ("scripted-llm --rules README.md", "README.md: "),
        ("bench a[/b]", "unknown workload 'a[/b]'"),
        ("costs --json --url http://127.0.0.1:1", "ASYNC_AGENT_URL"),
        ("goals list --url http://[::1", "not an HTTP address"),
        ("watch run_1 --url 127.0.0.1:3000", "not an HTTP address"),
        ("run-goal farm --url http://host:99999", "not an HTTP address"),
        ("artifacts get x --url ftp://host", "not an HTTP address"),
    ],
)
def test_wrong_usage_prints_nothing_on_standard_output(command: str, said: str) -> None:
    shown = CliRunner().invoke(app, command.split())
    assert (shown.exit_code, shown.stdout) == (Status.UNUSABLE, "")
    assert said in shown.stderr


@pytest.mark.parametrize("address", ["not an address", "nats.example:4222,x y", "nats://host:port", ","])
def test_an_address_of_nats_that_cannot_be_used_is_refused_and_nothing_is_written(
    tmp_path: Path, address: str
) -> None:
    users = tmp_path / "users"
    shown = CliRunner().invoke(app, ["nats-config", str(users), "--address", address])
    assert (shown.exit_code, users.exists()) == (Status.UNUSABLE, False)
    assert f"{address!r} is not an address such as 127.0.0.1:4222" in " ".join(shown.stderr.split())


def test_a_port_that_is_taken_is_told_by_the_scripted_llm_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        shown = CliRunner().invoke(app, ["scripted-llm", "--port", str(port)])
    assert (shown.exit_code, shown.stdout) == (Status.UNUSABLE, "")
    assert f"port {port} is taken by another program; choose another one with --port" in shown.stderr


@pytest.mark.parametrize("command", [b"goals show", b"run-goal", b"up --data"])
def test_an_argument_that_is_not_utf_8_is_refused_in_one_line(command: bytes) -> None:
    program = [sys.executable, "-c", "from deploy.cli.main import main; main()"]
    given = [*map(os.fsencode, program), *command.split(), b"caf\xe9"]
    ended = subprocess.run(given, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (Status.UNUSABLE, "")
    assert ended.stderr == "async-agent: the argument 'caf\\udce9' is not valid UTF-8\n"


@pytest.mark.parametrize("command", ["executions create", "agents create a 1.0.0 --prompt"])
def test_a_file_that_is_not_utf_8_is_refused_in_one_line(command: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b'"caf\xe9"')
    shown = CliRunner().invoke(app, [*command.split(), str(file)])
    assert (shown.exit_code, shown.stdout, len(shown.stderr.splitlines())) == (Status.UNUSABLE, "", 1)


def test_the_command_that_sets_the_address_of_nats_works_for_any_path(tmp_path: Path) -> None:
    file = tmp_path / 'it\'s [my] "data" $HOME é' / "reader.url"
    file.parent.mkdir()
    file.write_text("nats://reader:secret@127.0.0.1:4222\n")
    shell = ["sh", "-c", f'{reader_command(file)}; printf %s "$NATS_URL"']
    assert subprocess.check_output(shell, text=True) == "nats://reader:secret@127.0.0.1:4222"


def test_a_full_output_is_reported_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", "from deploy.cli.main import main; main()", "--version"]
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert found.stderr == "async-agent: the output cannot be written: No space left on device\n"
    assert found.returncode == Status.FAILED


def test_the_version_is_printed() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert (shown.exit_code, shown.stdout) == (Status.DONE, f"async-agent {version('async-agent')}\n")
