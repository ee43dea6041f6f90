"""writeFile: writes text to a file in the artifacts folder.

Overwriting is idempotent: a reader sees the old file or the new one, and a second call changes nothing.
Appending is not: the file does not show whether the text was already appended. So the effect depends on the
mode of the call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from contracts.core.event import Json
from contracts.core.outcome import Reject
from contracts.core.tool import Effect, Fill, OutputSpec, Source
from executor.tools.artifacts import Artifacts
from executor.tools.inputs import ToolInput
from executor.tools.threads import FILES
from executor.tools.tool import CallContext, Tool


def _as_text(value: object) -> object:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


class WriteFile(ToolInput):
    """The text to write."""

    path: str = Field(
        description="Path of the file, relative to the artifacts directory; folders are created"
    )
    content: Annotated[str, BeforeValidator(_as_text)] = Field(description="Text to write")
    mode: Literal["overwrite", "append"] = Field(
        default="overwrite", description="Replace the file, or add to its end"
    )


def write_file(artifacts: Artifacts) -> Tool[WriteFile]:
    """The tool writeFile."""

    async def run(request: WriteFile, _: CallContext) -> Json:
        data = request.content.encode()
        written = await FILES.run(_write, artifacts, request, data)
        return {
            "path": request.path,
            "fullPath": str(written),
            "bytesWritten": len(data),
            "mode": request.mode,
        }

    return Tool(
        name="writeFile",
        description="Write text to a file in the artifacts directory: replace the file, or add to its end.",
        accepts=WriteFile,
        effect=Effect.ONCE,
        effect_by_params=effect_of,
        run=run,
        output=OutputSpec(kind="file", fields=("path",)),
        filled_from_results={"content": Fill.TEXT},
        source=Source.CALL,
        timeout_s=30,
    )


def effect_of(params: Mapping[str, Json]) -> Effect:
    """ONCE if the call appends, or if the mode is a placeholder; else IDEMPOTENT."""
    return Effect.IDEMPOTENT if params.get("mode") in (None, "overwrite") else Effect.ONCE


def _write(artifacts: Artifacts, request: WriteFile, data: bytes) -> Path:
    if request.path.endswith("/"):
        raise Reject(f"Invalid path: {request.path[:200]} is not a file")
    write = artifacts.append if request.mode == "append" else artifacts.replace
    return write(request.path, data)
