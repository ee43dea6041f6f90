"""`async-agent scripted-llm`."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EACCES, EADDRINUSE
from pathlib import Path

import typer

from contracts.core.user_error import UserError
from deploy.cli.execute import Status
from deploy.scripted_llm import Rule, default_rules, environment, load_rules, serve


def load(path: Path | None) -> Sequence[Rule]:
    """Return the rules in a file, or the demo's.

    Raises:
        BadParameter: the file has no valid rules.
    """
    try:
        return load_rules(path) if path else default_rules()
    except ValueError as error:  # invalid UTF-8, TOML or rules
        raise typer.BadParameter(f"{path}: {error}", param_hint="--rules") from None


async def serve_until_stopped(rules: Sequence[Rule], port: int) -> Status:
    """Print the settings with which a system uses this server, and serve until a signal comes.

    Raises:
        UserError: the port cannot be used.
    """

    def started(base_url: str) -> None:
        print(*(f"{name}={value}" for name, value in environment(base_url).items()), flush=True)

    try:
        await serve(rules, port=port, started=started)
    except OSError as error:
        if error.errno not in (EADDRINUSE, EACCES):
            raise
        reason = "is taken by another program" if error.errno == EADDRINUSE else "may not be used by you"
        raise UserError(f"port {port} {reason}; choose another one with --port, or 0") from None
    return Status.DONE
