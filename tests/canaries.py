"""Secrets of test systems, which must not occur in anything that a system leaves behind."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path

from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.direct import stored
from contracts.runtime.nats.leader import all_of

CANARIES = {
    "OPENAI_API_KEY": "sk-canary-of-the-openai-key-5d1f",
    "OPENROUTER_API_KEY": "sk-or-canary-of-the-openrouter-key-77ab",
    "SMTP_PASS": "canary-of-the-mail-password-93c0",
    "WEBHOOK_SECRET": base64.b64encode(b"canary of the webhook secret").decode(),
}
"""The environment of every test system."""


def found_in(data: bytes | str) -> set[str]:
    """Names of the secrets that occur in `data`, as they are or in base64."""
    raw = data.encode(errors="replace") if isinstance(data, str) else data
    return {
        name
        for name, secret in CANARIES.items()
        if secret.encode() in raw or base64.b64encode(secret.encode()).rstrip(b"=")[:-1] in raw
    }


def found_in_files(directory: Path, *, except_for: Iterable[Path] = ()) -> dict[str, set[str]]:
    """The secrets in the files below `directory`, by file."""
    files = (path for path in directory.rglob("*") if path.is_file())
    read = {path: found_in(path.read_bytes()) for path in files if not set(path.parents) & set(except_for)}
    return {str(path): found for path, found in read.items() if found}


async def found_in_nats(connection: Connection) -> dict[str, set[str]]:
    """The secrets in the messages of all streams, by stream: log, blobs, parked messages and key-values."""
    return {stream: found async for stream, found in _messages(connection) if found}


async def _messages(connection: Connection) -> AsyncGenerator[tuple[str, set[str]]]:
    for name in (await connection.api("STREAM.NAMES"))["streams"]:
        config = (await connection.api(f"STREAM.INFO.{name}"))["config"]
        read = stored if config.get("allow_direct") else all_of
        for message in await read(connection, name, ">"):
            yield name, found_in(message.payload) | found_in(str(message.headers))
