"""Options that many commands have."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import typer

DEFAULT_URL = "http://127.0.0.1:3000"


def web_address(text: str) -> str:
    """`text`, if it is the URL of an HTTP server.

    Raises:
        BadParameter: it is not; the message gives an example.
    """
    try:
        url = urlsplit(text)
        is_valid = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or not text.isprintable() or " " in text:
        raise typer.BadParameter(f"{text!r} is not an HTTP address such as {DEFAULT_URL}")
    return text


Url = Annotated[
    str, typer.Option(envvar="ASYNC_AGENT_URL", help="Address of the system.", callback=web_address)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Show at most this many rows.")]
Offset = Annotated[int | None, typer.Option(min=0, help="Skip this many rows.")]
Status = Annotated[str | None, typer.Option(help="Show only rows with this status.")]
Reason = Annotated[str | None, typer.Option(help="Why; stored with the cancellation.")]
