"""What parser processes call in tests. They import this module, so it imports little."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from contracts.core.outcome import Reject


def double(number: int) -> int:
    return 2 * number


def process_id() -> int:
    return os.getpid()


def refuse() -> None:
    raise Reject("no text")


def is_imported(*modules: str) -> bool:
    return set(modules) <= set(sys.modules)


def never_end(began: str) -> None:
    Path(began).write_text(str(os.getpid()))
    threading.Event().wait()


def grow() -> int:
    return len(bytearray(1024 * 1024 * 1024))


def die() -> None:
    os._exit(3)
