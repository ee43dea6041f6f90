"""Ports on this machine: the wanted one where it can be had, else any that is free."""

from __future__ import annotations

import socket
from collections.abc import Container

from contracts.runtime.process.service import UserError


class NoPort(UserError):
    """There is no such address on this machine, or all its ports are taken."""


def free_port(host: str, wanted: int, taken: Container[int] = ()) -> int:
    """`wanted` if it can be had on `host`, else any free port; none of `taken` in either case.

    Raises:
        NoPort: there is none.
    """
    try:
        family = socket.getaddrinfo(host, None)[0][0]
    except socket.gaierror as error:
        raise NoPort(f"{host} is no address of this machine ({error}); choose another with --host") from error
    found = _probe(family, host, wanted)
    while found is None or found in taken:
        found = _probe(family, host, 0)
        if found is None:
            raise NoPort(f"no port can be had on {host}; choose another address with --host")
    return found


def _probe(family: socket.AddressFamily, host: str, port: int) -> int | None:
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return None
        return int(probe.getsockname()[1])
