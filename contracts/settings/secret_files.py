"""Secrets from files, as Docker, Kubernetes and systemd provide them: `<NAME>_FILE` names the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

MAX_CHARACTERS = 64 * 1024


class InvalidSettings(ValueError):
    """A setting is invalid. The message names the setting and says what is allowed."""


def unreadable(setting: str, path: object, error: OSError | UnicodeDecodeError) -> InvalidSettings:
    """The error for a file with settings that cannot be read."""
    reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text; save it as UTF-8"
    return InvalidSettings(f"  {setting}: cannot read {path}: {reason}")


def read_secrets(names: Iterable[str], variables: Mapping[str, str | None]) -> dict[str, str]:
    """The secrets that `variables`, by lower-case name, say to read from files, by lower-case name.

    Raises:
        InvalidSettings: a file cannot be read or is empty, or the variable itself is set too.
    """
    found: dict[str, str] = {}
    for name in sorted(names):
        setting, variable = name.lower(), f"{name}_FILE"
        path = variables.get(variable.lower())
        if not path:
            continue
        if variables.get(setting):
            raise InvalidSettings(f"  {variable}: {name} is set too; set only one of them")
        found[setting] = _read(variable, Path(path))
    return found


def _read(variable: str, path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(variable, path, error) from None
    secret = text.rstrip("\r\n")
    if not secret or len(text) > MAX_CHARACTERS:
        problem = "is empty" if not secret else f"has more than {MAX_CHARACTERS} characters"
        raise InvalidSettings(f"  {variable}: the file {path} {problem}")
    return secret
