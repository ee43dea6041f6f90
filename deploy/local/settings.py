"""Settings of `async-agent up` from the environment and `.env`. Options of the command override them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from contracts.runtime.process.settings import Auth, Durability, auth_of, require_separate
from contracts.settings.environment import MAY_HOLD_A_SECRET, EnvironmentSettings
from deploy.local.system import Options

Port = Annotated[int | None, Field(ge=0, le=65535)]
"""A port setting. None means the port of the last start, or the default."""


class LocalSettings(EnvironmentSettings):
    """Settings with the same names as those of the services, and with defaults for one machine."""

    host: str = "127.0.0.1"
    auth: Auth | None = None
    port: Port = None
    nats_port: Port = None
    metrics_port: Port = None
    data_dir: Path = Path("data")
    artifacts_dir: Path | None = None
    """Default: a folder in `data_dir`."""
    nats_url: Annotated[str | None, MAY_HOLD_A_SECRET] = None
    durability: Durability = Durability.FSYNC
    public_url: str | None = None
    """Address of the API as others reach it. Default: the address on this machine."""
    executors: int = Field(default=1, ge=1, le=64)

    @model_validator(mode="after")
    def _artifacts_are_separate(self) -> LocalSettings:
        require_separate(self.artifacts, self.data_dir)
        return self

    @model_validator(mode="after")
    def _is_protected(self) -> LocalSettings:
        auth_of(self.auth, self.host)
        return self

    @property
    def artifacts(self) -> Path:
        """Directory in which steps read and write files."""
        return self.artifacts_dir or self.data_dir / "artifacts"


def local_settings(**given: Any) -> LocalSettings:
    """Return the given settings. The environment and `.env` replace settings that are missing or None.

    Raises:
        InvalidSettings: a setting is not valid.
    """
    return LocalSettings(**{name: value for name, value in given.items() if value is not None})


def options_of(settings: LocalSettings) -> Options:
    """Return the options of the system that `up` runs."""
    return Options(
        data=settings.data_dir,
        port=settings.port,
        host=settings.host,
        nats_url=settings.nats_url,
        nats_port=settings.nats_port,
        metrics_port=settings.metrics_port,
        durability=settings.durability,
        executors=settings.executors,
        public_url=settings.public_url,
        env={"ARTIFACTS_DIR": str(settings.artifacts.absolute())},
    )
