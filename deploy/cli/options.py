"""Options that many commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import typer

DEFAULT_URL = "http://127.0.0.1:3000"


def web_address(text: str) -> str:
    """Return `text` if it is the URL of an HTTP server.

    Raises:
        BadParameter: it is not a URL. The message has an example.
    """
    from contracts.settings.redactor import SECRETS  # noqa: PLC0415  `--help` must not load contracts

    try:
        url = urlsplit(text)
        if "@" in url.netloc:
            SECRETS.learn_userinfo("ASYNC_AGENT_URL", url.netloc.rpartition("@")[0])
        is_valid = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or not text.isprintable() or " " in text:
        raise typer.BadParameter(f"{SECRETS.text(text)!r} is not an HTTP address such as {DEFAULT_URL}")
    return text


Url = Annotated[
    str, typer.Option(envvar="ASYNC_AGENT_URL", help="Address of the system.", callback=web_address)
]


def sendable_key(text: str | None) -> str | None:
    """Return `text` if it can be sent as a key.

    Raises:
        BadParameter: it has characters that a header cannot have. The message does not show it.
    """
    from contracts.settings.redactor import SECRETS  # noqa: PLC0415  `--help` must not load contracts

    stripped = (text or "").strip()
    if not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise typer.BadParameter("the key has characters that no key has; pass it as it was printed")
    SECRETS.learn("ASYNC_AGENT_KEY", stripped)
    return stripped or None


Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar="ASYNC_AGENT_KEY",
        help="Key of the system, or a token of its OIDC issuer. Other users of this machine can see options: "
        "prefer the environment.",
        show_default=False,
        callback=sendable_key,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's answer as JSON.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Show at most this many rows.")]
Attempt = Annotated[
    int | None, typer.Option(min=1, help="Number of the attempt. Default: the last one that asked a model.")
]
Offset = Annotated[int | None, typer.Option(min=0, help="Skip this many rows.")]
Status = Annotated[str | None, typer.Option(help="Show only rows with this status.")]
Words = Annotated[
    str | None, typer.Option("--text", help="Show only rows that contain all these words. See `search`.")
]
Since = Annotated[
    str | None,
    typer.Option("--from", help="Created at this time or later: ISO 8601, or `7d`, `2w`, `1m` ago."),
]
Until = Annotated[
    str | None, typer.Option("--to", help="Created at this time or earlier, in the same forms as --from.")
]
Agent = Annotated[str | None, typer.Option(help="Show only rows of the agent with this name or id.")]
Tool = Annotated[str | None, typer.Option(help="Show only rows with a step of this tool.")]
ForkedFrom = Annotated[
    str | None, typer.Option("--forked-from", help="Show only forks of the run or execution with this id.")
]
MinCost = Annotated[
    str | None, typer.Option("--min-cost", help="Show only rows that cost at least this many US dollars.")
]
Reason = Annotated[str | None, typer.Option(help="Reason, stored with the cancellation.")]

AskBefore = Annotated[
    list[str] | None,
    typer.Option(
        "--ask-before",
        metavar="TOOL",
        help="A person must approve each call of this tool first; repeat for more. See `asks`.",
    ),
]
OutwardCalls = Annotated[
    Literal["allow", "ask-tainted", "ask", "forbid"] | None,
    typer.Option(help="What happens to tool calls that send something to others, such as e-mail."),
]
BudgetLimits = Annotated[
    list[str] | None,
    typer.Option(
        "--budget",
        metavar="LIMIT=AMOUNT",
        help="What one run may spend: usd, tokens, seconds or steps, such as usd=0.5. Repeat for more.",
    ),
]

Data = Annotated[
    Path | None,
    typer.Option("--data", help="Directory of the log and the views. Default: $DATA_DIR or ./data."),
]
NatsUrl = Annotated[
    str | None,
    typer.Option("--nats-url", help="Use this NATS instead of starting one. Default: $NATS_URL."),
]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the API. Default: $PORT or 3000.")]
NatsPort = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Port of NATS. Default: $NATS_PORT or 4222.")
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65530,
        help="First port for metrics; each service uses the next one. Default: $METRICS_PORT or 9465.",
    ),
]
Host = Annotated[str | None, typer.Option(help="Address to listen on. Default: $HOST or 127.0.0.1.")]
Durability = Annotated[
    Literal["fsync", "fast"] | None,
    typer.Option(
        help="fsync: accepted events survive a power cut. fast: about five times faster, but a power cut may "
        "lose the last two minutes. Default: fsync."
    ),
]
Executors = Annotated[int | None, typer.Option(min=1, max=64, help="Number of executors. Default: 1.")]
