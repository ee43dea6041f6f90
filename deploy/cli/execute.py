"""Runs the commands of `async-agent`. Signals cancel them. Errors become a message and an exit status."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine, Mapping
from enum import IntEnum
from http import HTTPStatus
from typing import Any

import structlog

from contracts.client import ClarificationRequired, ClientError, EmptyArgument, Refused, Unreachable
from contracts.core.user_error import UserError
from contracts.runtime.log import Unavailable
from contracts.settings.secret_files import InvalidSettings
from deploy.printable import show_error

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Status(IntEnum):
    """Exit statuses that scripts can rely on."""

    DONE = 0
    FAILED = 1
    UNUSABLE = 2
    """Invalid usage or settings, or no server answers."""
    INTERRUPTED = 130


def execute(main: Coroutine[Any, Any, Status], *, interrupted: Status = Status.INTERRUPTED) -> Status:
    """Run `main` and return its status, or `interrupted` if a signal ended it."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        return asyncio.run(_until_signalled(main, interrupted))
    except (ClientError, UserError, InvalidSettings, Unavailable) as error:
        show_error(_advice(error))
        return _status(error)


def require_arguments(given: Mapping[str, object]) -> None:
    """Require that no argument is an empty text, which no id, name or goal is.

    Raises:
        UserError: one is empty. The message names it.
    """
    for name, value in given.items():
        if value == "":
            raise UserError(f"{name.upper()} is empty: give an id, a name or a text")


async def _until_signalled(main: Coroutine[Any, Any, Status], interrupted: Status) -> Status:
    task = asyncio.create_task(main)
    signalled = False

    def stop() -> None:
        nonlocal signalled
        if not signalled:
            signalled = True
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if signalled:
            return interrupted
        raise


def _status(error: Exception) -> Status:
    match error:
        case Refused(status=HTTPStatus.NOT_FOUND) | Unreachable() | EmptyArgument():
            return Status.UNUSABLE
        case ClientError():
            return Status.FAILED
    return Status.UNUSABLE


def _advice(error: Exception) -> str:
    match error:
        case Unreachable():
            return f"{error}\nStart one with `async-agent up`, or name one with --url or ASYNC_AGENT_URL."
        case Refused(status=HTTPStatus.UNAUTHORIZED):
            return f"{error}\nName a key with --key or ASYNC_AGENT_KEY."
        case ClarificationRequired(dag_id=dag_id):
            answer = f'`async-agent dags clarify {dag_id} "…"`' if dag_id else "a more precise goal"
            return f"the goal is not clear enough: {error}\nAnswer with {answer}."
        case InvalidSettings():
            return f"the environment or .env is not valid:\n{error}"
    return str(error)
