"""`async-agent keys`."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.api.keys import KeyCreate, KeyIssued, KeyPatch, KeyRotate, KeyRow
from contracts.client import Client
from contracts.client.keys import Keys
from contracts.core.aggregate import DomainError
from contracts.core.event import Json
from contracts.core.scopes import Scope
from contracts.core.user_error import UserError
from contracts.domain.key import key_id
from deploy.cli.execute import Status, execute
from deploy.cli.operator.keys import KeysInLog
from deploy.cli.operator.log import log_of
from deploy.cli.options import DEFAULT_URL, AsJson, Key, Url
from deploy.cli.resources.command import body, checked, group
from deploy.cli.tables import show
from deploy.terminal import Terminal

app = group(__name__)

_ID = re.compile(r"key_[0-9a-z]{26}")

Name = Annotated[str, typer.Argument(help="Name or id of the key.")]
NO_LIMIT = "none"
PER_DAY = "Maximum US dollars for models per day, in UTC."
PER_MONTH = "Maximum US dollars for models per calendar month, in UTC."
Days = Annotated[int | None, typer.Option("--days", min=1, help="The key expires after this many days.")]
Directly = Annotated[
    Path | None,
    typer.Option("--data", help="Work on the log in this data directory, without the API and without a key."),
]
DirectlyAt = Annotated[
    str | None, typer.Option("--nats-url", help="Work on the log of this NATS, without the API.")
]


class Refusal(UserError):
    """The rules of keys forbid the command."""


@app.command("create")
def create(  # noqa: PLR0913, PLR0917  each is an option
    name: Annotated[str, typer.Argument(help="Who will use the key, such as `ci`.")],
    scope: Annotated[list[Scope], typer.Option("--scope", help="What the key may do; repeat for more.")],
    days: Days = None,
    per_day: Annotated[float | None, typer.Option("--budget-usd-per-day", help=PER_DAY)] = None,
    per_month: Annotated[float | None, typer.Option("--budget-usd-per-month", help=PER_MONTH)] = None,
    data: Directly = None,
    nats_url: DirectlyAt = None,
    url: Url = DEFAULT_URL,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and print it. It is shown only once.

    The first key of a system is created with --data or --nats-url. `admin` includes all scopes, `run` and
    `approve` include `read`.
    """
    limits = _given(budgetUsdPerDay=per_day, budgetUsdPerMonth=per_month)
    scopes = [str(one) for one in scope]
    wanted = body(KeyCreate, name=name, scopes=scopes, expiresAt=_in_days(days), **limits)
    _run(data, nats_url, url, api_key, lambda keys: keys.create(wanted), as_json=as_json)


@app.command("list")
def find(
    data: Directly = None,
    nats_url: DirectlyAt = None,
    url: Url = DEFAULT_URL,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List all keys."""
    _run(data, nats_url, url, api_key, lambda keys: keys.find(), as_json=as_json)


@app.command("budget")
def budget(  # noqa: PLR0913, PLR0917  each is an option
    name: Name,
    per_day: Annotated[str | None, typer.Option("--usd-per-day", help=f"{PER_DAY} `none`: no limit.")] = None,
    per_month: Annotated[
        str | None, typer.Option("--usd-per-month", help=f"{PER_MONTH} `none`: no limit.")
    ] = None,
    data: Directly = None,
    nats_url: DirectlyAt = None,
    url: Url = DEFAULT_URL,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Change what models may cost in work that a key asks for.

    `async-agent budget show` shows what they have cost.
    """
    given = _given(budgetUsdPerDay=per_day, budgetUsdPerMonth=per_month)
    limits = {limit: None if usd == NO_LIMIT else usd for limit, usd in given.items()}
    changes = checked(KeyPatch, limits)
    _run(data, nats_url, url, api_key, lambda keys: keys.update(_id_of(name), changes), as_json=as_json)


@app.command("rotate")
def rotate(  # noqa: PLR0913, PLR0917  each is an option
    name: Name,
    overlap: Annotated[
        int, typer.Option("--overlap", min=0, help="Seconds for which the old key stays valid.")
    ] = 0,
    days: Days = None,
    data: Directly = None,
    nats_url: DirectlyAt = None,
    url: Url = DEFAULT_URL,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Replace a key and print the new one. It is shown only once."""
    wanted = body(KeyRotate, overlapS=overlap, expiresAt=_in_days(days))
    _run(data, nats_url, url, api_key, lambda keys: keys.rotate(_id_of(name), wanted), as_json=as_json)


@app.command("revoke")
def revoke(
    name: Name,
    data: Directly = None,
    nats_url: DirectlyAt = None,
    url: Url = DEFAULT_URL,
    api_key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a key. Requests with it are refused at once, and its streams end."""
    _run(data, nats_url, url, api_key, lambda keys: keys.revoke(_id_of(name)), as_json=as_json)


def _run(
    data: Path | None,
    nats_url: str | None,
    url: str,
    api_key: str | None,
    ask: Callable[[Keys | KeysInLog], Awaitable[Any]],
    *,
    as_json: bool,
) -> None:
    async def main() -> Status:
        async with _keys_of(data, nats_url, url, api_key) as keys:
            try:
                answer = await ask(keys)
            except DomainError as error:
                raise Refusal(str(error)) from None
        _print(answer, as_json=as_json)
        return Status.DONE

    raise typer.Exit(execute(main()))


@asynccontextmanager
async def _keys_of(
    data: Path | None, nats_url: str | None, url: str, api_key: str | None
) -> AsyncGenerator[Keys | KeysInLog]:
    """Yield the keys of the API, or, if `data` or `nats_url` is given, those of the log."""
    if data is not None or nats_url is not None:
        async with log_of(data, nats_url) as log:
            yield KeysInLog(log)
    else:
        async with Client(url, api_key=api_key) as client:
            yield client.keys


def _print(answer: KeyRow | list[KeyRow] | None, *, as_json: bool) -> None:
    output, notes = Terminal(), Terminal(stderr=True)
    if as_json and answer is not None:
        rows = answer if isinstance(answer, list) else [answer]
        lines = [row.model_dump_json(by_alias=True) for row in rows]
        output.literal(f"[{','.join(lines)}]" if isinstance(answer, list) else lines[0])
    elif isinstance(answer, KeyIssued):
        output.literal(answer.key)
        notes.note(f"the key of {answer.name} ({', '.join(answer.scopes)}); it is not shown again")
    else:
        show(answer, output, notes)


def _id_of(name: str) -> str:
    return name if _ID.fullmatch(name) else key_id(name)


def _given(**options: Json) -> dict[str, Json]:
    return {name: value for name, value in options.items() if value is not None}


def _in_days(days: int | None) -> str | None:
    return None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat()
