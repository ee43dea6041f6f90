"""`async-agent artifacts`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from contracts.client import Client, Content
from deploy.cli.execute import Status, execute
from deploy.cli.options import DEFAULT_URL, Key, Url
from deploy.cli.resources.command import Unusable, command, group
from deploy.printable import printable

app = group(__name__)


@command(app, "list")
async def find(
    client: Client,
    recursive: Annotated[bool, typer.Option("--recursive", help="Include files in folders.")] = False,
) -> list[str]:
    """List the names of the files."""
    return await client.artifacts.find(recursive=recursive)


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="Name as listed, with its folders.")],
    output: Annotated[Path | None, typer.Option(help="File to write. Default: standard output.")] = None,
    url: Url = DEFAULT_URL,
    api_key: Key = None,
) -> None:
    """Print a file, byte for byte."""

    async def main() -> Status:
        async with Client(url, api_key=api_key) as client:
            _write(await client.artifacts.content(name), output)
        return Status.DONE

    raise typer.Exit(execute(main()))


def _write(content: Content, output: Path | None) -> None:
    """Write or print the content. Raises Unusable if this is not possible."""
    if output is None:
        _print(content)
        return
    try:
        output.write_bytes(content.body)
    except OSError as error:
        raise Unusable(f"{output} cannot be written: {error.strerror}") from error


def _print(content: Content) -> None:
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(content.body)
        return
    if not content.media_type.startswith("text/"):
        raise Unusable(
            f"the content is {content.media_type}, which a terminal cannot show; choose a file with --output"
        )
    sys.stdout.write(printable(content.body.decode(errors="replace")))
