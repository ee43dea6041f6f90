"""The artifacts folder: the only folder in which tools may read and write files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from contracts.core.ids import new_id
from contracts.core.outcome import Reject
from contracts.runtime.confined_folder import ConfinedFolder, NotAFile, Outside, open_in

TEMPORARY = ".tmp-"
"""Prefix of the names of incomplete files."""


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Access to files inside one folder. Symbolic links that lead outside are refused."""

    root: Path

    def read_at_most(self, path: str, limit: int) -> tuple[bytes, int]:
        """The first `limit` bytes of a file, and its size in bytes.

        Raises:
            Reject: the file does not exist in the folder, or is not readable.
        """
        with (
            _located(self.root, path, "read") as (folder, file),
            os.fdopen(folder.open(file, os.O_RDONLY), "rb") as opened,
        ):
            return opened.read(limit), os.fstat(opened.fileno()).st_size

    def append(self, path: str, data: bytes) -> Path:
        """Add `data` to the end of a file, which is created if it does not exist. Returns its full path.

        Raises:
            Reject: it cannot be written, or is outside the folder.
        """
        with _located(self.root, path, "write") as (folder, file):
            opened = folder.open(file, os.O_WRONLY | os.O_APPEND, create=True)
            with os.fdopen(opened, "ab", buffering=0) as appended:
                remaining = memoryview(data)
                while remaining:
                    remaining = remaining[appended.write(remaining) :]
            return self.root.resolve() / file

    def replace(self, path: str, data: bytes) -> Path:
        """Write a file. Whoever reads it sees the old content or the new one. Returns its full path.

        Raises:
            Reject: it cannot be written, or is outside the folder.
        """
        with _located(self.root, path, "write") as (folder, file):
            with folder.directory(file.parent, create=True) as directory:
                _replace_in(directory, file.name, data)
            return self.root.resolve() / file


@contextmanager
def _located(root: Path, path: str, action: str) -> Iterator[tuple[ConfinedFolder, Path]]:
    """The folder, and where `path` leads inside it. Errors of the operating system become Reject.

    Raises:
        Reject: the path is empty, invalid or outside the folder, or an OSError was raised.
    """
    if not path.strip():
        raise Reject("Invalid path: it is empty; name a file in the artifacts directory")
    folder = ConfinedFolder(root)
    try:
        yield folder, folder.locate(path)
    except Outside:
        raise Reject(
            "Invalid path: must be within artifacts directory; name a file by its path relative to that, "
            "without a leading / and without .. out of it"
        ) from None
    except NotAFile:
        raise Reject(f"Invalid path: {path[:200]} is not a file") from None
    except FileNotFoundError:
        raise Reject(f"File not found: {path[:200]}") from None
    except OSError as error:
        raise Reject(f"Cannot {action} {path[:200]!r}: {error.strerror}") from error
    except ValueError as error:
        raise Reject(f"Invalid path {path[:200]!r}: {error}") from error


def _replace_in(directory: int, name: str, data: bytes) -> None:
    with suppress(FileNotFoundError):
        if not S_ISREG(os.stat(name or ".", dir_fd=directory, follow_symlinks=False).st_mode):
            raise NotAFile(name)
    temporary = new_id(TEMPORARY)
    try:
        with os.fdopen(open_in(directory, temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
            file.write(data)
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
