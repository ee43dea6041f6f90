"""Turns functions that call the API into commands: options, output and exit status."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from inspect import Parameter
from typing import Any, TypeVar, get_args, get_type_hints

import typer
from pydantic import BaseModel, ValidationError

from contracts.client import Client
from contracts.core.event import Json
from contracts.core.foreign_json import TooLargeInteger, parse_json
from contracts.core.user_error import UserError
from contracts.domain.issues import issues
from deploy.cli.columns import LISTS
from deploy.cli.execute import Status, execute, require_arguments
from deploy.cli.options import DEFAULT_URL, AsJson, Key, Url
from deploy.cli.resources import RESOURCES
from deploy.cli.tables import show, show_page
from deploy.terminal import Terminal

B = TypeVar("B", bound=BaseModel)

Ask = Callable[..., Coroutine[Any, Any, object]]
"""Takes a Client and the command's own options."""
A = TypeVar("A", bound=Ask)
Show = Callable[[Any, Terminal, Terminal], None]
"""Prints an answer on the first terminal, and notes about it on the second."""
Extend = Callable[[Client, Any], Awaitable[object]]
"""Requests further data for an answer that is printed for people."""
COMMON = (
    Parameter("url", Parameter.KEYWORD_ONLY, default=DEFAULT_URL, annotation=Url),
    Parameter("api_key", Parameter.KEYWORD_ONLY, default=None, annotation=Key),
    Parameter("as_json", Parameter.KEYWORD_ONLY, default=False, annotation=AsJson),
)


class Unusable(UserError):
    """An argument cannot be sent."""


def group(module: str) -> typer.Typer:
    """Return the command group of a module's resource."""
    name = module.rpartition(".")[2]
    return typer.Typer(
        name=name,
        help=RESOURCES[name],
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def command(
    app: typer.Typer, name: str, *, shown: Show = show, extended: Extend | None = None
) -> Callable[[A], A]:
    """Turn a function that uses a client into a command. Its answer is printed as a table or as JSON."""

    def register(ask: A) -> A:
        hints = get_type_hints(ask, include_extras=True)
        _, *declared = inspect.signature(ask).parameters.values()
        own = [option for one in declared for option in _options(one, hints[one.name])]
        required = [one.name for one in own if one.default is Parameter.empty]

        def run(*, url: str, api_key: str | None, as_json: bool, **given: Json) -> None:
            async def main() -> Status:
                require_arguments({name: given[name] for name in required})
                if as_json:
                    return await _print_json(url, api_key, lambda client: ask(client, **given))
                async with Client(url, api_key=api_key) as client:
                    answer = await ask(client, **given)
                    if extended:
                        answer = await extended(client, answer)
                shown(answer, Terminal(), Terminal(stderr=True))
                return Status.DONE

            raise typer.Exit(execute(main()))

        run.__signature__ = inspect.Signature([*own, *COMMON])  # type: ignore[attr-defined]  # as PEP 362
        run.__annotations__ = {one.name: one.annotation for one in (*own, *COMMON)}
        app.command(name, help=ask.__doc__)(run)
        return ask

    return register


def _options(declared: Parameter, hint: Any) -> Iterator[Parameter]:
    """The options of a parameter; of `**filters: Unpack[ListOptions]`, those of the typed dictionary."""
    if declared.kind is not Parameter.VAR_KEYWORD:
        yield declared.replace(annotation=hint, kind=Parameter.KEYWORD_ONLY)
        return
    (options,) = get_args(hint)
    for name, annotation in get_type_hints(options, include_extras=True).items():
        yield Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def body(model: type[B], /, **given: Json) -> B:
    """Return a body with the given options, by their names in the API. Those that are None are omitted.

    Raises:
        Unusable: the body is not valid.
    """
    return checked(model, {name: value for name, value in given.items() if value not in (None, [])})


def checked(model: type[B], given: Mapping[str, Json]) -> B:
    """Return a body with exactly the given keys.

    Raises:
        Unusable: the body is not valid.
    """
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['path']))}: {one['message']}" for one in issues(error, model)]
        raise Unusable("; ".join(wrong)) from None


def json_of(text: str | None, what: str) -> Json:
    """Parse an option that is JSON. Return None if it is omitted.

    Raises:
        Unusable: the option is not JSON.
    """
    try:
        return None if text is None else parse_json(text.encode())
    except TooLargeInteger as error:
        raise Unusable(f"{what}: {error}") from None
    except ValueError as error:
        raise Unusable(f"{what} is not JSON: {error}") from None


def object_of(text: str | None, what: str) -> dict[str, Json]:
    """Parse an option that is a JSON object. Return {} if it is omitted.

    Raises:
        Unusable: the option is not a JSON object.
    """
    value = {} if text is None else json_of(text, what)
    if not isinstance(value, dict):
        raise Unusable(f'{what} must be a JSON object, such as {{"stepBudget": 5}}')
    return value


def text_in(file: typer.FileBinaryRead) -> str:
    """Read a file of UTF-8 text.

    Raises:
        Unusable: the file is not UTF-8.
    """
    try:
        return file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unusable(f"{file.name} is not UTF-8 text: {error.reason} at byte {error.start}") from None


async def _print_json(url: str, api_key: str | None, ask: Callable[[Client], Awaitable[object]]) -> Status:
    """Print the API's answer unchanged. Of an answer that contains a list, print only the array."""
    answered = b""

    def keep_answer(answer: bytes) -> None:
        nonlocal answered
        answered = answer

    async with Client(url, api_key=api_key, on_answer=keep_answer) as client:
        answer = await ask(client)
    if isinstance(answer, BaseModel) and (rows := LISTS.get(type(answer))):
        key = type(answer).model_fields[rows].alias or rows
        answered = json.dumps(json.loads(answered)[key], ensure_ascii=False, separators=(",", ":")).encode()
    if answered:
        Terminal().literal(answered.decode())
    show_page(answer, Terminal(stderr=True))
    return Status.DONE
