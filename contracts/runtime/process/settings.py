"""Settings that every process reads from its environment and from `.env`."""

from __future__ import annotations

import socket
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator
from pydantic_settings import NoDecode

from contracts.core.text import by_commas
from contracts.settings.environment import MAY_HOLD_A_SECRET, EnvironmentSettings

_LowerCase = Annotated[str, StringConstraints(to_lower=True)]
LogLevel = Literal["trace", "debug", "info", "warn", "warning", "error", "fatal"]


class Durability(StrEnum):
    """What acknowledged commits survive."""

    FSYNC = "fsync"
    """Commits survive a power cut: every append is synced to disk."""
    FAST = "fast"
    """Commits survive crashes of processes, but not of the machine: data is synced every two minutes."""


class Auth(StrEnum):
    """Who may use the API."""

    OFF = "off"
    """Everybody who can reach it."""
    KEYS = "keys"
    """Whoever has a key."""
    OIDC = "oidc"
    """Whoever has a key, or a token of the issuer OIDC_ISSUER."""


class Settings(EnvironmentSettings):
    """Settings that all services share. Each service adds its own in its `settings.py`."""

    nats_url: Annotated[str, MAY_HOLD_A_SECRET] = "nats://127.0.0.1:4222"
    nats_replicas: int = Field(default=1, ge=1, le=5)
    """Number of replicas for streams that this process creates."""
    nats_monitor_url: Annotated[tuple[str, ...], NoDecode, BeforeValidator(by_commas), MAY_HOLD_A_SECRET] = ()
    """Monitoring addresses of the NATS servers, separated by commas, to check that they sync each message."""
    durability: Durability = Durability.FSYNC
    """What an acknowledged commit must survive."""
    data_dir: Path = Path("data")
    """Directory for views, leases and other local files."""
    artifacts_dir: Path = Path("artifacts")
    """Directory for the file tools. `/artifacts` serves its files."""
    instance: str = Field(default_factory=socket.gethostname)
    """Name that distinguishes the processes of one service, in events and on disk. Default: host name."""
    node_env: str = "development"
    log_level: Annotated[LogLevel, BeforeValidator(str.lower)] = "info"
    log_format: str = Field(default="", pattern="^(json|console|)$")
    """`json`, `console`, or empty: JSON in production, console elsewhere."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Port of `/healthz`, `/readyz` and `/metrics`; 0: any free port, which is logged."""
    allowed_hosts: Annotated[tuple[_LowerCase, ...], NoDecode, BeforeValidator(by_commas)] = ()
    """Additional host names that clients may use for our ports, separated by commas; `*`: every name. IP
    addresses, names without a dot, `.localhost`, `.local` and `.internal` are always allowed."""
    grace_s: float = Field(default=10.0, ge=0)
    """Seconds for work in progress to finish after SIGTERM."""

    @model_validator(mode="after")
    def _artifacts_are_separate(self) -> Settings:
        require_separate(self.artifacts_dir, self.data_dir)
        return self


def require_separate(artifacts: Path, data: Path) -> None:
    """Check that the directory `artifacts` does not contain the settings or the data.

    Raises:
        ValueError: it is or contains the working directory or `data`.
    """
    directory = artifacts.resolve()
    for name, kept in (("the working directory", Path()), ("DATA_DIR", data)):
        if kept.resolve().is_relative_to(directory):
            raise ValueError(
                f"ARTIFACTS_DIR ({artifacts}) must not be or contain {name}: steps write files there; "
                "choose a separate directory"
            )


def auth_of(auth: Auth | None, host: str) -> Auth:
    """Return the mode of a gateway that listens on `host`. Without a setting: `off` on a loopback address.

    Raises:
        ValueError: other machines can reach `host`, and `auth` does not say who may use the API.
    """
    if auth is not None:
        return auth
    if not is_loopback(host):
        raise ValueError(
            f"other machines can reach HOST={host}: set AUTH=keys, and create a key with `async-agent keys "
            "create <name> --scope admin --data <DATA_DIR>`. AUTH=oidc accepts tokens as well. AUTH=off lets "
            "everybody in who can reach the address"
        )
    return Auth.OFF


def access_warning(auth: Auth, host: str) -> str | None:
    """Return what it means that a gateway on `host` asks nobody for a key, if other machines can reach it."""
    if auth is not Auth.OFF or is_loopback(host):
        return None
    return (
        f"AUTH=off and HOST={host}: everybody who can reach this address can read all data, run every tool, "
        "spend the money of the language model and delete everything, without a key. Set AUTH=keys, or "
        "HOST=127.0.0.1"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def require_private(url: str) -> str:
    """Return `url` if nobody can change answers on their way: it is https, or on this machine.

    Raises:
        ValueError: it is another URL.
    """
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0].rpartition("@")[2]
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if scheme == "https" or (scheme == "http" and is_loopback(name)):
        return url
    raise ValueError(f"{url!r} must begin with https://")


SQLITE = "sqlite+aiosqlite:///"


class ViewsSettings(Settings):
    """Settings of the services that write or read the views."""

    database_url: Annotated[str, MAY_HOLD_A_SECRET] = ""
    """SQLAlchemy URL of the views, `sqlite+aiosqlite:///…`."""
    database_path: Path | None = None
    """The SQLite file, if DATABASE_URL is not set. Default: `<DATA_DIR>/views.db`."""

    @model_validator(mode="after")
    def _only_sqlite(self) -> ViewsSettings:
        if self.database_url and not self.database_url.startswith(SQLITE):
            raise ValueError(f"DATABASE_URL must start with {SQLITE} (the views are kept in SQLite)")
        return self

    @property
    def views_file(self) -> Path:
        """Path of the views' SQLite file."""
        if self.database_url:
            return Path(self.database_url.removeprefix(SQLITE))
        return self.database_path or self.data_dir / "views.db"
