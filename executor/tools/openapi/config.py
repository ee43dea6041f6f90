"""The file that OPENAPI_TOOLS names: HTTP APIs whose operations are offered as tools."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.core.tool import Effect
from executor.tools.config_file import read_file
from executor.tools.inputs import HttpUrl

ApiName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]


class ApiConfig(BaseModel):
    """One API. `${NAME}` is an environment variable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    document: str = Field(min_length=1)
    """OpenAPI 3 document in JSON: a URL, or the path of a file, relative to the directory of the executor."""
    url: HttpUrl | None = None
    """Address of the API; None: the first of `servers` in the document."""
    headers: Mapping[str, str] = Field(default_factory=dict)
    """Sent with each request for the document and for an operation."""
    disabled: bool = False
    timeout_s: float = Field(default=60.0, gt=0, le=3600)
    """Seconds that one call may take."""
    allow: tuple[str, ...] | None = None
    """Operation ids to offer; None: all."""
    deny: tuple[str, ...] = ()
    """Operation ids that are not offered."""
    effects: Mapping[str, Effect] = Field(default_factory=dict)
    """The effect of a second call by operation id. Overrides what the HTTP method says."""
    outward: bool | None = None
    """Whether calls send something to others; None: those of all operations that do not only read."""

    def offers(self, operation: str) -> bool:
        """Whether `operation` may be offered."""
        return (self.allow is None or operation in self.allow) and operation not in self.deny


class OpenApiConfig(BaseModel):
    """All APIs by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    apis: Mapping[ApiName, ApiConfig]


def read_config(path: Path, environment: Mapping[str, str] = os.environ) -> dict[str, ApiConfig]:
    """Read the APIs that are not disabled.

    Raises:
        WrongConfig: the file cannot be read, is not valid, or names a variable that is not set.
    """
    config = read_file("OPENAPI_TOOLS", path, OpenApiConfig, environment)
    return {name: api for name, api in config.apis.items() if not api.disabled}
