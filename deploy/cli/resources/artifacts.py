"""`async-agent artifacts`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from contracts.client import Client, Content
from deploy.cli.execute import Status, execute
from deploy.cli.options import DEFAULT_URL, Url
from deploy.cli.resources.command import Unusable, command, group

app = group(__name__)


@command(app, "list")
async def find(
    client: Client,
    recursive: Annotated[bool, typer.Option("--recursive", help="Those in folders, too.")] = False,
) -> list[str]:
    """Their names."""
    return await client.artifacts.find(recursive=recursive)


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="As listed, with the folders it is in.")],
    output: Annotated[Path | None, typer.Option(help="A file to write. Default: standard output.")] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """The content of one, byte for byte."""

    async def main() -> Status:
        async with Client(url) as client:
            _write(await client.artifacts.content(name), output)
        return Status.DONE

    raise typer.Exit(execute(main()))


def _write(content: Content, output: Path | None) -> None:
    """Raises Unusable when it cannot be written there."""
    if output is None:
        if sys.stdout.isatty() and not content.media_type.startswith("text/"):
            raise Unusable(f"it is {content.media_type}, which no terminal shows: give a file by --output")
        sys.stdout.buffer.write(content.body)
        return
    try:
        output.write_bytes(content.body)
    except OSError as error:
        raise Unusable(f"{output} cannot be written: {error.strerror}") from error
