"""The options of `async-agent log`, `views` and `parked`. Their code is imported when a command runs."""

# ruff: noqa: PLC0415  other commands must not cost start-up time

from __future__ import annotations

from typing import Annotated

import typer

from deploy.cli.options import Data, NatsUrl

views_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Rebuild or verify the SQL tables made from the log."
)
log_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Continue with a log that has lost commits."
)
parked_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Messages that a service gave up on."
)


@log_app.command("accept")
def log_accept(data: Data = None, nats_url: NatsUrl = None) -> None:
    """Continue with a log that has lost commits. If possible, restore the lost commits instead.

    The log accepts commits again. The projector rebuilds the views from the log and keeps the old views.
    """
    from deploy.cli.execute import Status, execute
    from deploy.cli.operator.log import accept, log_of
    from deploy.terminal import Terminal

    async def main() -> Status:
        async with log_of(data, nats_url) as log:
            await accept(log, Terminal())
        return Status.DONE

    raise typer.Exit(execute(main()))


@views_app.command("rebuild")
def views_rebuild(data: Data = None, nats_url: NatsUrl = None) -> None:
    """Rebuild the views from the log. The system may be running or stopped."""
    from deploy.cli.execute import Status, execute
    from deploy.cli.operator.views import rebuild, views_of
    from deploy.terminal import Terminal

    async def main() -> Status:
        async with views_of(data, nats_url) as views:
            return Status.DONE if await rebuild(views, Terminal()) else Status.FAILED

    raise typer.Exit(execute(main()))


@views_app.command("verify")
def views_verify(data: Data = None, nats_url: NatsUrl = None) -> None:
    """Compare every row of the views with the log. Exit status: 0 equal, 1 different."""
    from deploy.cli.execute import Status, execute
    from deploy.cli.operator.views import compare, views_of
    from deploy.terminal import Terminal

    async def main() -> Status:
        async with views_of(data, nats_url) as views:
            return Status.DONE if await compare(views, Terminal()) else Status.FAILED

    raise typer.Exit(execute(main()))


@parked_app.command("list")
def parked_list(data: Data = None, nats_url: NatsUrl = None) -> None:
    """List parked messages and the reason of each."""
    from deploy.cli.execute import Status, execute
    from deploy.cli.operator.parked import connection_to, show_parked
    from deploy.terminal import Terminal

    async def main() -> Status:
        async with connection_to(data, nats_url) as connection:
            await show_parked(connection, Terminal())
        return Status.DONE

    raise typer.Exit(execute(main()))


@parked_app.command("retry")
def parked_retry(
    numbers: Annotated[list[int], typer.Argument(help="Numbers from `parked list`.")],
    data: Data = None,
    nats_url: NatsUrl = None,
) -> None:
    """Deliver parked messages to their services again."""
    from deploy.cli.execute import Status, execute
    from deploy.cli.operator.parked import connection_to, redeliver
    from deploy.terminal import Terminal

    async def main() -> Status:
        async with connection_to(data, nats_url) as connection:
            await redeliver(connection, numbers, Terminal())
        return Status.DONE

    raise typer.Exit(execute(main()))
