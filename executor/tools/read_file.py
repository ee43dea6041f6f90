"""readFile: the text of a file in the artifacts folder."""

from __future__ import annotations

from pydantic import Field

from contracts.core.event import Json
from contracts.core.outcome import Reject
from contracts.core.tool import Effect
from executor.tools.artifacts import Artifacts
from executor.tools.encodings import decode
from executor.tools.filetypes import binary_type
from executor.tools.inputs import ToolInput
from executor.tools.threads import FILES
from executor.tools.tool import CallContext, Tool

_BYTES_PER_CHARACTER = 4
"""Maximum bytes of a character in any encoding."""


class ReadFile(ToolInput):
    """The file to read."""

    path: str = Field(description="Path of the file, relative to the artifacts directory")
    max_length: int = Field(default=50_000, ge=1, le=100_000, description="Characters to return at most")


def read_file(artifacts: Artifacts) -> Tool[ReadFile]:
    """The tool readFile."""

    async def run(request: ReadFile, _: CallContext) -> Json:
        enough = _BYTES_PER_CHARACTER * (request.max_length + 1)
        data, size = await FILES.run(artifacts.read_at_most, request.path, enough)
        if found := binary_type(data):
            raise Reject(f"{request.path} is not a text file: it is {found}")
        read = decode(data, whole=len(data) >= size)
        return {
            "path": request.path,
            "content": read.text[: request.max_length],
            "size": size,
            "truncated": len(read.text) > request.max_length,
            "encoding": read.encoding,
        }

    return Tool(
        name="readFile",
        description="Read a text file from the artifacts directory.",
        accepts=ReadFile,
        effect=Effect.READ,
        run=run,
        reads_file="path",
        timeout_s=30,
    )
