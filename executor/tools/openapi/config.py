"""The file that OPENAPI_TOOLS names: HTTP APIs whose operations are offered as tools."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from executor.tools.config_file import SourceConfig, SourceName, read_file
from executor.tools.inputs import HttpUrl


class ApiConfig(SourceConfig):
    """One API. Its tools are called by their operation ids. `${NAME}` is an environment variable."""

    document: str = Field(min_length=1)
    """OpenAPI 3 document in JSON: a URL, or the path of a file, relative to the directory of the executor."""
    url: HttpUrl | None = None
    """Address of the API; None: the first of `servers` in the document."""
    headers: Mapping[str, str] = Field(default_factory=dict)
    """Sent with each request for the document and for an operation."""


class OpenApiConfig(BaseModel):
    """All APIs by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    apis: Mapping[SourceName, ApiConfig]


def read_config(path: Path, environment: Mapping[str, str] = os.environ) -> dict[str, ApiConfig]:
    """Read the APIs that are not disabled.

    Raises:
        WrongConfig: the file cannot be read, is not valid, or names a variable that is not set.
    """
    config = read_file("OPENAPI_TOOLS", path, OpenApiConfig, environment)
    return {name: api for name, api in config.apis.items() if not api.disabled}
