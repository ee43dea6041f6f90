"""A process that has imported what the services share, and forks them.

Five interpreters that import the same modules need five times the CPU and the memory. A forked service starts
at once and shares the memory of the modules.

Protocol: file descriptor 0 is a socket. Each request is a `Request` as a line of JSON, with two file
descriptors: a socket from which the forked process reads its environment as JSON, and a pipe for its output.
The environment takes this way so that the fork server never holds the secrets of a service. File descriptor 1
receives a `Started` as a line of JSON after each request, and an `Ended` after each end of a process. The
program ends when the socket is closed.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import TypedDict

from setproctitle import setproctitle

from contracts.runtime.process.start import start
from deploy.local.lifeline import end_with_parent

SHARED = (
    "aiohttp.web",
    "aiosqlite",
    "contracts.domain.registry",
    "contracts.runtime.consumer.consumer",
    "contracts.runtime.nats_log",
    "contracts.runtime.process.service",
    "sqlalchemy.ext.asyncio",
)
"""Modules that several services import. They define no metrics, which all services would show."""
MAX_REQUEST_BYTES = 1 << 16


class Request(TypedDict):
    """Asks for a process."""

    service: str
    cwd: str | None


class Started(TypedDict):
    """A process has been forked."""

    pid: int


class Ended(Started):
    """A process has ended. `status` is negative if a signal ended it."""

    status: int


def main() -> None:
    """Serve file descriptor 0 until it is closed. In a forked process: run the service."""
    setproctitle("async-agent: fork server")
    gc.disable()
    with contextlib.suppress(ImportError):  # a service that cannot import it says so itself
        for module in SHARED:
            import_module(module)
    gc.freeze()
    with socket.socket(fileno=os.dup(0)) as requests:
        forked = _serve(requests)
    if forked:
        start(_become(*forked))


def _serve(requests: socket.socket) -> tuple[Request, int, int] | None:
    """Return None at the end of the requests, or a request with its file descriptors in a forked process."""
    ended_children, wake = socket.socketpair()
    with ended_children, wake, DefaultSelector() as selector:
        wake.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno())
        for source in (requests, ended_children):
            selector.register(source, EVENT_READ)
        try:
            while True:
                ready = [key.fileobj for key, _ in selector.select()]
                if ended_children in ready:
                    ended_children.recv(MAX_REQUEST_BYTES)
                    _tell_ended()
                if requests in ready:
                    line, descriptors, *_ = socket.recv_fds(requests, MAX_REQUEST_BYTES, 2)
                    if not line:
                        return None
                    pid = os.fork()
                    if not pid:
                        return json.loads(line), *descriptors
                    for descriptor in descriptors:
                        os.close(descriptor)
                    _tell(Started(pid=pid))
        finally:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _tell_ended() -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = ended
            _tell(Ended(pid=pid, status=os.waitstatus_to_exitcode(status)))


def _tell(answer: Started) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def _become(request: Request, environment: int, output: int) -> str:
    """Make this forked process one of its own, and return the name of its service."""
    os.setsid()
    end_with_parent()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)
    with open(environment) as stream:
        env: dict[str, str] = json.load(stream)
    os.environ.clear()
    os.environ.update(env)
    if request["cwd"]:
        os.chdir(Path(request["cwd"]))
    sys.argv = [request["service"]]
    setproctitle(f"async-agent: {request['service']} {env.get('INSTANCE', '')}".rstrip())
    return request["service"]


if __name__ == "__main__":
    main()
