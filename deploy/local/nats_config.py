"""The configuration of nats-server: its users, and for a server of our own everything else. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import bcrypt

from contracts.domain.registry import CODEC
from contracts.runtime.durability import OWN_SERVER
from contracts.runtime.permissions import Permissions, permissions
from contracts.runtime.process.settings import Durability

NO_LIMIT = "1EB"
"""Maximum size of the store. The server's own default is three quarters of the free disk space at its start,
not counting stored data. A server with a larger store would refuse every message after a restart."""
ROUNDS = 4
"""Cost of a hash, the lowest that bcrypt allows: nobody guesses random passwords."""

_NOT_PLAIN = re.compile(rb'[^ -~]|["\\]')


def server(directory: Path, port: int, durability: Durability, passwords: Mapping[str, str]) -> str:
    """Return the configuration of a server on loopback, without a monitoring port."""
    sync = "sync_interval: always" if durability is Durability.FSYNC else ""
    return f"""\
listen: "127.0.0.1:{port or -1}"
server_name: {OWN_SERVER}
pid_file: {quoted(directory / "nats.pid")}
jetstream {{
  store_dir: {quoted(directory / "jetstream")}
  max_file_store: {NO_LIMIT}
  {sync}
}}
{authorization(passwords)}"""


def authorization(passwords: Mapping[str, str]) -> str:
    """Return the block with all users, by name and password. It contains hashes of the passwords."""
    allowed = permissions(CODEC.writers)
    users = "\n".join(_user(name, password, allowed[name]) for name, password in passwords.items())
    return f"authorization {{\n  users = [\n{users}\n  ]\n}}\n"


def _user(name: str, password: str, allowed: Permissions) -> str:
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(ROUNDS)).decode()
    return "\n".join(
        (
            f"    {{ user: {name}, password: {quoted(hashed)}, permissions: {{",
            *_subjects("publish", allowed.publish, allowed.deny_publish),
            *_subjects("subscribe", allowed.subscribe, allowed.deny_subscribe),
            "    } }",
        )
    )


def _subjects(verb: str, allow: Iterable[str], deny: Iterable[str]) -> Iterator[str]:
    yield f"      {verb}: {{"
    for key, subjects in (("allow", allow), ("deny", deny)):
        if listed := "".join(f"          {quoted(subject)}\n" for subject in subjects):
            yield f"        {key}: [\n{listed}        ]"
    yield "      }"


def quoted(text: str | Path) -> str:
    """Return `text` as a string of NATS's configuration format. Any bytes are allowed."""
    # Not as JSON: the format has no escape for a character, only for a byte.
    return '"' + _NOT_PLAIN.sub(_escaped, os.fsencode(text)).decode("ascii") + '"'


def _escaped(byte: re.Match[bytes]) -> bytes:
    return b"\\x%02x" % byte[0][0]
