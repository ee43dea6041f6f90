"""Chooses the ports of a local system. Restarts keep the same ports."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping

from contracts.core.user_error import UserError


class NoPort(UserError):
    """The host is not an address of this machine, or all its ports are in use."""


class PortTaken(NoPort):
    """Another program listens on the requested port."""


class Ports:
    """Chooses a port for each part of a system, and stores it by the name of the part."""

    def __init__(self, kept: Mapping[str, int]) -> None:
        """`kept`: the ports of the system's last start."""
        self.chosen: dict[str, int] = {}
        self.moved: dict[str, int] = {}
        """Default ports of the parts that have another port."""
        self._kept = kept

    def choose(self, part: str, host: str, wanted: int | None, default: int) -> int:
        """Choose a port: `wanted`, or any free port if it is 0.

        If `wanted` is None, choose the port of the last start, or else `default`, or else any free port.

        Raises:
            PortTaken: `wanted` is in use.
            NoPort: `host` is not an address of this machine, or has no free port.
        """
        if wanted:
            port = free_port(host, wanted, self.chosen.values())
            if port != wanted:
                raise PortTaken(f"port {wanted} ({part}) is taken by another program; choose another one")
        elif wanted is None:
            port = self._default_or_free(part, host, default)
        else:
            port = free_port(host, 0, self.chosen.values())
        self.chosen[part] = port
        return port

    def _default_or_free(self, part: str, host: str, default: int) -> int:
        taken = self.chosen.values()
        kept = self._kept.get(part, default)
        port = free_port(host, kept, taken)
        if port != kept:
            port = free_port(host, default, taken)
        if port != default:
            self.moved[part] = default
        return port


def free_port(host: str, wanted: int, taken: Collection[int] = ()) -> int:
    """Return `wanted` if it is free on `host`, or else any free port. Ports in `taken` are excluded.

    Raises:
        NoPort: no port is free.
    """
    try:
        family = socket.getaddrinfo(host, None)[0][0]
    except OSError as error:
        raise NoPort(
            f"{host} is not an address of this machine ({error}); choose another with --host"
        ) from error
    found = _probe(family, host, wanted)
    while found is None or found in taken:
        found = _probe(family, host, 0)
        if found is None:
            raise NoPort(f"no port is free on {host}; choose another address with --host")
    return found


def _probe(family: socket.AddressFamily, host: str, port: int) -> int | None:
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return None
        return int(probe.getsockname()[1])
