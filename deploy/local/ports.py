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
        """Ports that were taken, by the part that has another one instead."""
        self._kept = kept
        self._requested: set[str] = set()
        """Parts with a port that the user has chosen."""

    def choose(self, part: str, host: str, wanted: int | None, default: int) -> int:
        """Choose a port: `wanted`, or any free port if it is 0.

        If `wanted` is None, choose the port of the last start, or else `default`, or else any free port.

        Raises:
            PortTaken: `wanted` is in use.
            NoPort: `host` is not an address of this machine, or has no free port.
        """
        if wanted:
            self._requested.add(part)
            port = free_port(host, wanted, self.chosen.values())
            if port != wanted:
                raise _taken(part, wanted)
        elif wanted is None:
            port = self._default_or_free(part, host, default)
        else:
            port = free_port(host, 0, self.chosen.values())
        self.chosen[part] = port
        return port

    def replaced_if_taken(self, part: str, host: str) -> int:
        """Return the port of a part that is about to start.

        If another program has taken the port since it was chosen, the part moves to any free one.

        Raises:
            PortTaken: the port is in use, and the user has chosen it.
            NoPort: `host` has no free port.
        """
        before, others = self.chosen[part], [one for other, one in self.chosen.items() if other != part]
        port = free_port(host, before, others)
        if port != before:
            if part in self._requested:
                raise _taken(part, before)
            self.moved.setdefault(part, before)
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


def _taken(part: str, port: int) -> PortTaken:
    return PortTaken(f"port {port} ({part}) is taken by another program; choose another one")


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
