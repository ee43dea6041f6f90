"""Options that many commands have."""

from __future__ import annotations

from typing import Annotated

import typer

DEFAULT_URL = "http://127.0.0.1:3000"

Url = Annotated[str, typer.Option(envvar="ASYNC_AGENT_URL", help="Where the system is.")]
AsJson = Annotated[bool, typer.Option("--json", help="What the API answers, as it is.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Rows at most.")]
Offset = Annotated[int | None, typer.Option(min=0, help="Rows to skip.")]
Status = Annotated[str | None, typer.Option(help="Only those of this status.")]
Reason = Annotated[str | None, typer.Option(help="Goes on record.")]
