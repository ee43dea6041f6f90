"""A folder in which a process may open files, and cannot be led out of it.

Whoever can write in the folder can replace a directory by a symbolic link at any moment, also after a path
was checked. So a path is resolved first, and then opened component by component: each one relative to the
open directory before it, and without following links.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

DIRECTORY = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Flags that open a directory which is not a symbolic link."""
FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Flags that open a file which is not a symbolic link. Opening a pipe does not wait for its other end."""


class Outside(Exception):
    """The path leads out of the folder."""


class NotAFile(Exception):
    """The path leads to something that is not a regular file."""


@dataclass(frozen=True, slots=True)
class ConfinedFolder:
    """Opens files below `root`, which may be a symbolic link. Links that lead out of it are refused."""

    root: Path

    def locate(self, path: str) -> Path:
        """The path relative to the folder, all links resolved. `path` is relative, or absolute and inside.

        Raises:
            Outside: it leads out of the folder.
            ValueError: it contains a null character.
        """
        root = os.path.realpath(self.root)
        real = Path(os.path.realpath(Path(root, path)))
        if not real.is_relative_to(root):
            raise Outside(path)
        return real.relative_to(root)

    @contextmanager
    def directory(self, located: Path, *, create: bool = False) -> Iterator[int]:
        """Open a directory for use as `dir_fd`, or for `os.scandir`. `create` makes what is missing.

        Raises:
            OSError: it cannot be opened, or a part of it is a symbolic link by now.
        """
        if create:
            self.root.mkdir(parents=True, exist_ok=True)
        opened = os.open(self.root, os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in located.parts:
                outer, opened = opened, _inner(opened, name, create=create)
                os.close(outer)
            yield opened
        finally:
            os.close(opened)

    def open(self, located: Path, flags: int, *, create: bool = False) -> int:
        """Open a regular file and return its descriptor. `create` makes it, and the directories it is in.

        Raises:
            NotAFile: it is something else.
            OSError: it cannot be opened, or a part of the path is a symbolic link by now.
        """
        with self.directory(located.parent, create=create) as directory:
            return open_in(directory, located.name or ".", flags | (os.O_CREAT if create else 0))


def open_in(directory: int, name: str, flags: int) -> int:
    """Open a regular file of an open directory.

    Raises:
        NotAFile: it is something else.
        OSError: it cannot be opened, or is a symbolic link.
    """
    file = os.open(name, flags | FILE, 0o666, dir_fd=directory)
    if S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise NotAFile(name)


def _inner(directory: int, name: str, *, create: bool) -> int:
    if create:
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=directory)
    return os.open(name, DIRECTORY, dir_fd=directory)
