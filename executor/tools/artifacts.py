"""The artifacts folder: the only folder in which tools may read and write files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contracts.core.outcome import Reject


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Access to files inside one folder. Symbolic links that lead outside are refused."""

    root: Path

    def locate(self, path: str) -> Path:
        """The real path of `path`, which is relative to the folder, or absolute and inside it.

        Raises:
            Reject: the path is empty, invalid, or outside the folder.
        """
        if not path.strip():
            raise Reject("Invalid path: it is empty; name a file in the artifacts directory")
        try:
            root = self.root.resolve()
            real = (root / path).resolve()
        except (ValueError, OSError, RuntimeError) as error:
            raise Reject(f"Invalid path {path[:200]!r}: {error}") from error
        if not real.is_relative_to(root):
            raise Reject(
                "Invalid path: must be within artifacts directory; name a file by its path relative to that, "
                "without a leading / and without .. out of it"
            )
        return real

    def read_at_most(self, path: str, limit: int) -> tuple[bytes, int]:
        """The first `limit` bytes of a file, and its size in bytes.

        Raises:
            Reject: the file does not exist in the folder, or is not readable.
        """
        real = self.locate(path)
        try:
            if not real.is_file():
                raise Reject(f"{path} is not a file" if real.exists() else f"File not found: {path}")
            with real.open("rb") as file:
                return file.read(limit), real.stat().st_size
        except OSError as error:
            raise Reject(f"Cannot read {path[:200]!r}: {error.strerror}") from error
