"""readFile: the text of a file in the artifacts folder."""

from __future__ import annotations

import asyncio
import codecs

from pydantic import Field

from contracts.core.event import Json
from contracts.core.tool import Effect
from executor.tools.artifacts import Artifacts
from executor.tools.inputs import ToolInput
from executor.tools.tool import CallContext, Tool

_BYTES_PER_CHARACTER = 4
"""Of UTF-8, at most."""


class ReadFile(ToolInput):
    """Which file, and how much of it."""

    path: str = Field(description="Path of the file, relative to the artifacts directory")
    max_length: int = Field(default=50_000, ge=1, le=100_000, description="Characters to return at most")


def read_file(artifacts: Artifacts) -> Tool[ReadFile]:
    """The tool, reading in `artifacts`."""

    async def run(request: ReadFile, _: CallContext) -> Json:
        enough = _BYTES_PER_CHARACTER * (request.max_length + 1)
        data, size = await asyncio.to_thread(artifacts.read_at_most, request.path, enough)
        text = codecs.getincrementaldecoder("utf-8")("replace").decode(data, final=len(data) >= size)
        return {
            "path": request.path,
            "content": text[: request.max_length],
            "size": size,
            "truncated": len(text) > request.max_length,
        }

    return Tool(
        name="readFile",
        description="Read a text file from the artifacts directory.",
        accepts=ReadFile,
        effect=Effect.READ,
        run=run,
        timeout_s=30,
    )
