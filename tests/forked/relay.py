"""Runs a program through `server.py` as if it were this process: files, signals and exit status are the same.

Arguments: the path of the server's socket, the modules that the program needs, separated by commas, the
program's `sys.executable`, and the arguments of the interpreter.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Request(TypedDict):
    """Asks for a program."""

    imports: Sequence[str]
    """Modules that it needs."""
    argv: Sequence[str]
    """Arguments of the interpreter."""
    env: dict[str, str]
    cwd: str
    executable: str
    """The program's `sys.executable`."""


def start(path: str, request: Request, files: Sequence[int]) -> socket.socket:
    """Start a program with `files` as its standard streams. The connection then tells its exit status."""
    server = socket.socket(socket.AF_UNIX)
    server.connect(path)
    sent = json.dumps(request).encode()
    socket.send_fds(server, [len(sent).to_bytes(4, "big")], files)
    server.sendall(sent)
    return server


def main() -> None:
    """Start the program, and end as it does."""
    path, imports, executable, *argv = sys.argv[1:]
    request = Request(
        imports=imports.split(","),
        argv=argv,
        env=dict(os.environ),
        cwd=str(Path.cwd()),
        executable=executable,
    )
    with start(path, request, (0, 1, 2)) as server:
        for number in PASSED_ON:
            signal.signal(number, lambda number, _: server.sendall(bytes([number])))
        os.closerange(0, 3)
        status = int(server.recv(16) or -signal.SIGKILL)
    if status < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


if __name__ == "__main__":
    main()
