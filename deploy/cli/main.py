"""The command line, `async-agent`: what each command takes. What they do is imported when they run."""

# ruff: noqa: PLC0415  a command that is not asked for must not cost start-up time

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from deploy.cli.options import DEFAULT_URL, AsJson, Url
from deploy.cli.resources import RESOURCES

if TYPE_CHECKING:
    from deploy.cli.execute import Status

app = typer.Typer(
    name="async-agent",
    help="Goals in plain words, planned into DAGs by an LLM, run crash-safely, every step an event.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
views_app = typer.Typer(no_args_is_help=True, help="The views: SQL tables that are made of the log.")
parked_app = typer.Typer(no_args_is_help=True, help="Messages that a service has given up on.")
log_app = typer.Typer(no_args_is_help=True, help="The log: what to do when it has lost commits.")
app.add_typer(log_app, name="log")
app.add_typer(views_app, name="views")
app.add_typer(parked_app, name="parked")


PASSING_ON = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "allow_interspersed_args": False,
}
"""For commands whose own program, imported when it is asked for, reads all that follows."""

ServiceName = Literal["gateway", "planner", "executor", "scheduler", "projector"]
Victim = Literal["gateway", "planner", "executor", "scheduler", "projector", "nats"]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="Where the log and the views are. Default: $DATA_DIR or ./data."),
]
NatsUrl = Annotated[
    str | None,
    typer.Option("--nats-url", help="An existing NATS instead of one of our own. Default: $NATS_URL."),
]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Of the API. Default: $PORT or 3000.")]
Host = Annotated[str | None, typer.Option(help="Address to listen on. Default: $HOST or 127.0.0.1.")]
Durability = Annotated[
    Literal["fsync", "fast"] | None,
    typer.Option(
        help="fsync: accepted events survive a power cut. fast: about five times as quick, but one may lose "
        "the last two minutes. Default: fsync."
    ),
]
Executors = Annotated[int | None, typer.Option(min=1, max=64, help="How many executors. Default: 1.")]


@app.command()
def up(
    data: Data = None,
    port: Port = None,
    host: Host = None,
    nats_url: NatsUrl = None,
    durability: Durability = None,
    executors: Executors = None,
) -> None:
    """Run everything on this machine until Ctrl-C: NATS and the five services."""
    from rich.console import Console

    from deploy.cli.execute import Status, execute
    from deploy.cli.up import up as run_up
    from deploy.local.settings import local_settings, options_of

    async def main() -> Status:
        settings = local_settings(
            data_dir=data, port=port, host=host, nats_url=nats_url, durability=durability, executors=executors
        )
        await run_up(options_of(settings), settings.artifacts_dir, Console())
        return Status.DONE

    _exit(execute(main(), interrupted=Status.DONE))


@app.command()
def run(service: ServiceName) -> None:
    """Run one service in this process, as configured by the environment and .env."""
    from importlib import import_module

    import_module(f"{service}.service").SERVICE.main()


@app.command()
def demo(
    goal: Annotated[str | None, typer.Option(help="In plain words.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the temporary directory there.")] = False,
    kill: Annotated[
        Victim | None,
        typer.Option(help="End this process by kill -9 in the middle, to see that it is nothing."),
    ] = None,
) -> None:
    """Run one goal on a temporary system, live. Without an LLM of yours a scripted one stands in."""
    from rich.console import Console

    from deploy.cli.demo import GOAL, Show
    from deploy.cli.demo import demo as run_demo
    from deploy.cli.execute import Status, execute

    async def main() -> Status:
        show = Show(goal or GOAL, keep, kill)
        return Status.DONE if await run_demo(show, Console(stderr=True), Console()) else Status.FAILED

    _exit(execute(main()))


@app.command("run-goal")
def run_goal(
    goal: Annotated[str, typer.Argument(help="In plain words.")],
    url: Url = DEFAULT_URL,
    agent: Annotated[
        str | None,
        typer.Option(help="The agent that plans; by default the newest of ours."),
    ] = None,
) -> None:
    """Have a goal planned and executed, and watch it. Exit status: 0 completed, 1 failed, 2 not reachable."""
    from rich.console import Console

    from contracts.client import PLANNER_AGENT, Client
    from deploy.cli.execute import execute
    from deploy.cli.watch.follow import follow

    async def main() -> Status:
        planner = agent or PLANNER_AGENT
        async with Client(url) as client:
            with Console(stderr=True).status(f"{planner} is planning …"):
                started = await client.dags.create_and_execute(goal, agent=planner)
            return await follow(client, started.execution_id)

    _exit(execute(main()))


@app.command()
def watch(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Of an execution, or of the run of a goal.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Watch something to its end. Exit status: 0 completed, 1 failed or suspended, 2 not reachable."""
    from deploy.cli.execute import execute
    from deploy.cli.watch.follow import watched

    _exit(execute(watched(url, id_, as_json=as_json)))


@app.command("scripted-llm")
def scripted_llm(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any.")] = 11500,
    rules: Annotated[
        Path | None, typer.Option(help="TOML file of rules. Default: those of the demo.")
    ] = None,
) -> None:
    """Serve a stand-in for an LLM, whose every answer is canned, on an OpenAI-compatible port."""
    from deploy.cli.execute import Status, execute
    from deploy.scripted_llm import default_rules, environment, load_rules, serve

    def started(base_url: str) -> None:
        print(*(f"{name}={value}" for name, value in environment(base_url).items()), flush=True)

    async def main() -> Status:
        await serve(load_rules(rules) if rules else default_rules(), port=port, started=started)
        return Status.DONE

    _exit(execute(main(), interrupted=Status.DONE))


@log_app.command("accept")
def log_accept(data: Data = None, nats_url: NatsUrl = None) -> None:
    """Go on with a log that has lost commits, as it is; put it back instead if you can.

    The log takes commits again. The projector keeps the old views beside the new ones, which it makes of the
    log as it is.
    """
    from rich.console import Console

    from deploy.cli.execute import Status, execute
    from deploy.cli.operator.log import accept, log_of

    async def main() -> Status:
        async with log_of(data, nats_url) as log:
            await accept(log, Console())
        return Status.DONE

    _exit(execute(main()))


@views_app.command("rebuild")
def views_rebuild(data: Data = None, nats_url: NatsUrl = None) -> None:
    """Build the views anew from the log, whether the system runs or not."""
    from rich.console import Console

    from deploy.cli.execute import Status, execute
    from deploy.cli.operator.views import rebuild, views_of

    async def main() -> Status:
        async with views_of(data, nats_url) as views:
            return Status.DONE if await rebuild(views, Console()) else Status.FAILED

    _exit(execute(main()))


@views_app.command("verify")
def views_verify(data: Data = None, nats_url: NatsUrl = None) -> None:
    """Fold the log afresh and compare every row. Exit status: 0 the same, 1 different."""
    from rich.console import Console

    from deploy.cli.execute import Status, execute
    from deploy.cli.operator.views import compare, views_of

    async def main() -> Status:
        async with views_of(data, nats_url) as views:
            return Status.DONE if await compare(views, Console()) else Status.FAILED

    _exit(execute(main()))


@parked_app.command("list")
def parked_list(data: Data = None, nats_url: NatsUrl = None) -> None:
    """Show what is parked, and why."""
    from rich.console import Console

    from deploy.cli.execute import Status, execute
    from deploy.cli.operator.parked import connection_to, show_parked

    async def main() -> Status:
        async with connection_to(data, nats_url) as connection:
            await show_parked(connection, Console())
        return Status.DONE

    _exit(execute(main()))


@parked_app.command("retry")
def parked_retry(
    numbers: Annotated[list[int], typer.Argument(help="As `parked list` shows them.")],
    data: Data = None,
    nats_url: NatsUrl = None,
) -> None:
    """Give messages back to their services, as if they came for the first time."""
    from rich.console import Console

    from deploy.cli.execute import Status, execute
    from deploy.cli.operator.parked import connection_to, put_back

    async def main() -> Status:
        async with connection_to(data, nats_url) as connection:
            await put_back(connection, numbers, Console())
        return Status.DONE

    _exit(execute(main()))


@app.command(add_help_option=False, context_settings=PASSING_ON)
def bench(context: typer.Context) -> None:
    """Measure this machine with a system of its own; `bench --help` says what can be measured."""
    from deploy.bench.cli import bench as measure

    bench_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
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
    """The console script."""
    app()
