"""Keeps the passwords of the NATS users in private files."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from contracts.core.user_error import UserError
from contracts.runtime.permissions import USERS

FILE = "users.json"


class PasswordsUnreadable(UserError):
    """The file with the passwords is damaged."""


def kept_passwords(directory: Path) -> Mapping[str, str]:
    """Return the password of every user, kept in `directory`. Users without one get a random password.

    Raises:
        PasswordsUnreadable: the file with the passwords is damaged.
    """
    file = directory / FILE
    kept = _read(file) if file.exists() else {}
    passwords = {user: kept.get(user) or secrets.token_urlsafe(24) for user in USERS}
    if passwords != kept:
        write_private(file, json.dumps(passwords, indent=2))
    return passwords


def _read(file: Path) -> dict[str, str]:
    try:
        return TypeAdapter(dict[str, str]).validate_json(file.read_bytes())
    except ValidationError as error:
        raise PasswordsUnreadable(
            f"{file} is damaged: restore it, or remove it to have new passwords for all users"
        ) from error


def url_for(user: str, passwords: Mapping[str, str], address: str) -> str:
    """Return the URL of the server at `address`, `<host>:<port>`, for one user."""
    return f"nats://{user}:{passwords[user]}@{address}"


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only the current user can read."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
