"""The command line `async-agent`: options of all commands. The code of a command is imported when it runs."""

# ruff: noqa: PLC0415  other commands must not cost start-up time

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from deploy.cli.operator.commands import log_app, parked_app, views_app
from deploy.cli.options import (
    DEFAULT_URL,
    AsJson,
    AskBefore,
    BudgetLimits,
    Data,
    Durability,
    Executors,
    Host,
    Key,
    MetricsPort,
    NatsPort,
    NatsUrl,
    OutwardCalls,
    Port,
    Url,
)
from deploy.cli.resources import RESOURCES
from deploy.printable import accept_every_character, is_unicode, show_error

if TYPE_CHECKING:
    from deploy.cli.execute import Status

_OUTPUT_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
"""Errors of a file or device that takes no more output."""

app = typer.Typer(
    name="async-agent",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(log_app, name="log")
app.add_typer(views_app, name="views")
app.add_typer(parked_app, name="parked")


PASSING_ON = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "allow_interspersed_args": False,
}
"""Settings of commands whose arguments are parsed by another Typer app, which is imported when needed."""

ServiceName = Literal["gateway", "planner", "executor", "scheduler", "projector"]
Victim = Literal["gateway", "planner", "executor", "scheduler", "projector", "nats"]


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        print("async-agent", version("async-agent"))
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Plan goals with an LLM, run the plans, and watch every step."""


@app.command()
def up(  # noqa: PLR0913, PLR0917  each is an option
    data: Data = None,
    port: Port = None,
    nats_port: NatsPort = None,
    metrics_port: MetricsPort = None,
    host: Host = None,
    nats_url: NatsUrl = None,
    durability: Durability = None,
    executors: Executors = None,
) -> None:
    """Run NATS and the five services on this machine, until Ctrl-C."""
    from deploy.cli.execute import Status, execute
    from deploy.cli.up import up as run_up
    from deploy.local.env_file import without_effect
    from deploy.local.settings import local_settings, options_of
    from deploy.terminal import Terminal

    async def main() -> Status:
        settings = local_settings(
            data_dir=data,
            port=port,
            nats_port=nats_port,
            metrics_port=metrics_port,
            host=host,
            nats_url=nats_url,
            durability=durability,
            executors=executors,
        )
        console = Terminal()
        for warning in without_effect():
            console.note(warning, "yellow")
        await run_up(options_of(settings), settings.artifacts, console)
        return Status.DONE

    _exit(execute(main(), interrupted=Status.DONE))


@app.command()
def run(service: ServiceName) -> None:
    """Run one service in this process, configured by the environment and .env."""
    from importlib import import_module

    from deploy.local.env_file import without_effect

    for warning in without_effect():
        show_error(warning)
    import_module(f"{service}.service").SERVICE.main()


@app.command("nats-config")
def nats_config(
    directory: Annotated[Path, typer.Argument(file_okay=False, help="Directory for the files.")],
    address: Annotated[
        str, typer.Option(help="Address of NATS, `host:port`; several with commas.")
    ] = "127.0.0.1:4222",
) -> None:
    """Write users with passwords and permissions for a NATS of your own, and the settings of each service."""
    from contracts.runtime.nats.address import Unreachable
    from deploy.cli.execute import Status, execute
    from deploy.cli.operator.nats_config import write_users
    from deploy.terminal import Terminal

    async def main() -> Status:
        try:
            write_users(directory, address, Terminal())
        except Unreachable:
            example = "127.0.0.1:4222"
            raise typer.BadParameter(
                f"{address!r} is not an address such as {example}", param_hint="--address"
            ) from None
        return Status.DONE

    _exit(execute(main()))


@app.command()
def demo(
    goal: Annotated[str | None, typer.Option(help="The goal in plain language.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary directory.")] = False,
    kill: Annotated[
        Victim | None,
        typer.Option(
            help="Kill this process (kill -9) during the run. The goal completes despite the crash."
        ),
    ] = None,
    browser: Annotated[
        bool,
        typer.Option("--open", help="Show the run in a browser, too. The system then runs until Ctrl-C."),
    ] = False,
) -> None:
    """Run one goal on a temporary system and watch it. Without an LLM, a scripted one answers."""
    from deploy.cli.demo import GOAL, Show
    from deploy.cli.demo import demo as run_demo
    from deploy.cli.execute import Status, execute
    from deploy.terminal import Terminal

    async def main() -> Status:
        show = Show(goal or GOAL, keep, kill, browser)
        return Status.DONE if await run_demo(show, Terminal(stderr=True), Terminal()) else Status.FAILED

    _exit(execute(main()))


@app.command("run-goal")
def run_goal(
    goal: Annotated[str, typer.Argument(help="The goal in plain language.")],
    url: Url = DEFAULT_URL,
    api_key: Key = None,
    agent: Annotated[
        str | None, typer.Option(help="Name of the agent that plans. Default: the newest built-in planner.")
    ] = None,
    ask_before: AskBefore = None,
    outward_calls: OutwardCalls = None,
    budget: BudgetLimits = None,
) -> None:
    """Plan a goal, execute the plan and watch it. Exit status: 0 completed, 1 failed, 2 not reachable."""
    from contracts.client import PLANNER_AGENT, Client
    from deploy.cli.execute import execute
    from deploy.cli.resources.limits import limits_of
    from deploy.cli.watch.follow import follow
    from deploy.terminal import Terminal

    async def main() -> Status:
        planner, limits = agent or PLANNER_AGENT, limits_of(ask_before, outward_calls, budget)
        async with Client(url, api_key=api_key) as client:
            with Terminal(stderr=True).busy(f"{planner} is planning …"):
                started = await client.dags.create_and_execute(goal, agent=planner, **limits)
            return await follow(client, started.execution_id)

    _exit(execute(main()))


@app.command()
def watch(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Id of an execution or a run.")],
    url: Url = DEFAULT_URL,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Watch an execution or a run. Exit status: 0 completed, 1 failed or suspended, 2 not reachable."""
    from deploy.cli.execute import execute
    from deploy.cli.watch.follow import watched

    _exit(execute(watched(url, api_key, id_, as_json=as_json)))


@app.command()
def mcp(url: Url = DEFAULT_URL, api_key: Key = None) -> None:
    """Serve the system as an MCP server on standard input and output. Over HTTP it is at /mcp."""
    from deploy.cli.execute import execute
    from deploy.cli.mcp import serve_stdio

    _exit(execute(serve_stdio(url, api_key)))


@app.command("scripted-llm")
def scripted_llm(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free port.")
    ] = 11500,
    rules: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="TOML file with rules. Default: the demo's rules."),
    ] = None,
) -> None:
    """Serve canned answers through an OpenAI-compatible API, in place of an LLM."""
    from deploy.cli.execute import Status, execute
    from deploy.cli.scripted_llm import load, serve_until_stopped

    _exit(execute(serve_until_stopped(load(rules), port), interrupted=Status.DONE))


@app.command(add_help_option=False, context_settings=PASSING_ON)
def bench(context: typer.Context) -> None:
    """Measure this machine; `bench --help` lists the workloads."""
    from deploy.bench.cli import bench as measure

    bench_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    bench_app.command()(measure)
    bench_app(args=context.args, prog_name="async-agent bench")


def _resource(name: str) -> Callable[[typer.Context], None]:
    def pass_on(context: typer.Context) -> None:
        from importlib import import_module

        import_module(f"deploy.cli.resources.{name}").app(args=context.args, prog_name=f"async-agent {name}")

    return pass_on


for _name, _help in RESOURCES.items():
    app.command(_name, help=_help, add_help_option=False, context_settings=PASSING_ON)(_resource(_name))


def _exit(status: Status) -> NoReturn:
    raise typer.Exit(status)


def main() -> None:
    """Entry point of the console script."""
    accept_every_character()
    for argument in sys.argv[1:]:
        if not is_unicode(argument):
            show_error(f"the argument {argument!r} is not valid UTF-8")
            sys.exit(2)
    try:
        app()
    except OSError as error:
        if error.errno not in _OUTPUT_ERRORS:
            raise
        show_error(f"the output cannot be written: {error.strerror}")
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())  # the interpreter flushes it at its end
        sys.exit(1)
