"""A process that imports modules, and forks Python programs that need them.

Its argument is the path of its Unix socket. A client sends the file descriptors 0, 1 and 2 of a program with
the length of a `Request` in 4 bytes, then the request as JSON, then each signal for the program as a byte. It
receives the exit status of the program in decimal digits, negative for a signal. A program is killed when its
client closes the connection, and all are when file descriptor 0 of this process is closed.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import runpy
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from itertools import dropwhile
from selectors import EVENT_READ, DefaultSelector
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.forked.relay import Request


class Server:
    """Forks programs, and tells clients of their ends."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._ended, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self._clients: dict[int, socket.socket] = {}
        """By the process id of the program."""
        self._selector = DefaultSelector()
        self._is_serving = True
        self._forked: Request | None = None

    def serve(self) -> Request | None:
        """Return what to run in a forked process, or None when file descriptor 0 is closed."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake.fileno())
        self._on(0, self._end)
        self._on(self._ended, self._reap)
        self._on(self._listener, self._accept)
        while self._is_serving:
            key, _ = self._selector.select()[0]
            key.data()
        return self._forked

    def _on(self, source: int | socket.socket, react: Callable[[], None]) -> None:
        self._selector.register(source, EVENT_READ, react)

    def _end(self) -> None:
        for pid in self._clients:
            os.kill(pid, signal.SIGKILL)
        self._is_serving = False

    def _reap(self) -> None:
        self._ended.recv(1 << 10)
        while self._clients and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = ended
            client = self._clients.pop(pid)
            if client in self._selector.get_map():
                self._selector.unregister(client)
            with client, contextlib.suppress(OSError):
                client.sendall(b"%d" % os.waitstatus_to_exitcode(status))

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        length, descriptors, *_ = socket.recv_fds(client, 4, 3)
        request: Request = json.loads(client.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
        for module in request["imports"]:
            import_module(module)
        gc.freeze()
        pid = os.fork()
        if not pid:
            client.close()
            self._become(descriptors)
            self._forked = request
            return
        for descriptor in descriptors:
            os.close(descriptor)
        self._clients[pid] = client
        self._on(client, partial(self._signal, pid))

    def _signal(self, pid: int) -> None:
        if number := self._clients[pid].recv(1):
            os.kill(pid, number[0])
        else:
            self._selector.unregister(self._clients[pid])
            os.kill(pid, signal.SIGKILL)

    def _become(self, descriptors: Sequence[int]) -> None:
        """Make the forked process one of its own."""
        self._is_serving = False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for mine in (self._listener, self._ended, self._wake, *self._clients.values()):
            mine.close()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.setsid()


def run(request: Request) -> int:
    """Run a program and return its exit status."""
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.executable = request["executable"]
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    _open_standard_streams()
    gc.enable()
    try:
        _interpret(request["argv"])
    except SystemExit as end:
        if not isinstance(end.code, str):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _interpret(words: Sequence[str]) -> None:
    """Do what an interpreter does: run `-c CODE`, `-m MODULE` or a file. Other options are ignored."""
    match [*dropwhile(("-P", "-u").__contains__, words)]:
        case "-m", module, *args:
            sys.argv = [module, *args]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case "-c", code, *args:
            sys.argv = ["-c", *args]
            sys.modules["__main__"] = main = ModuleType("__main__")
            exec(compile(code, "<string>", "exec"), main.__dict__)
        case file, *args:
            sys.argv = [file, *args]
            runpy.run_path(file, run_name="__main__")


def _open_standard_streams() -> None:
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    opened = partial(os.fdopen, encoding=encoding or None, closefd=False)
    sys.stdin = opened(0, errors=errors or None)
    sys.stdout = opened(1, "w", errors=errors or None)
    sys.stderr = opened(2, "w", 1, errors="backslashreplace")
    if "PYTHONUNBUFFERED" in os.environ:
        sys.stdout.reconfigure(line_buffering=True)


def main() -> None:
    """Serve. In a forked process: run its program."""
    gc.disable()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        os.write(1, b"ready\n")
        forked = Server(listener).serve()
    if forked:
        status = run(forked)
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(status)  # to take the objects of all modules apart takes longer than most programs


if __name__ == "__main__":
    main()
