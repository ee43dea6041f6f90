"""HTTP sessions that reach only what tools may reach: every socket of every hop is checked when it is made.

Checking the URL would not do: names resolve to anything, redirects lead anywhere, and addresses can be spelt
in many ways. The socket's own address is what counts.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from aiohttp import AddrInfoType, ClientSession, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from executor.tools.addresses import AllowedHost, refusal
from executor.tools.threads import NAMES

CONNECTIONS = 100
"""At a time, over all tools of a process."""


class Blocked(OSError):
    """The guard refused a socket; `why` says which address, and what to do.

    The text is the same for every address: connecting to a host of several addresses ends in one of the
    exceptions only if all of them say the same.
    """

    def __init__(self, why: str) -> None:
        super().__init__(errno.EACCES, "refused by the address guard")
        self.why = why


class Vouched(str):
    """A numeric address that an allowed host name resolved to."""

    __slots__ = ()


class SystemResolver(AbstractResolver):
    """Resolves names as the system does, in threads of their own."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host` that this machine may have a route to."""
        found = await NAMES.run(
            socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=str(address[0]), port=port, family=family, proto=0, flags=flags)
            for family, _, _, _, address in found
        ]

    async def close(self) -> None:
        """Nothing to close."""


class VouchingResolver(AbstractResolver):
    """Resolves names, and vouches for the addresses of those on the allow-list."""

    def __init__(self, allowed: Sequence[AllowedHost], resolver: AbstractResolver) -> None:
        self._allowed = allowed
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host`."""
        found = await self._resolver.resolve(host, port, family)
        if any(entry.covers_name(host, port) for entry in self._allowed):
            for result in found:
                result["host"] = Vouched(result["host"])
        return found

    async def close(self) -> None:
        """Close the resolver that does the work."""
        await self._resolver.close()


class GuardedConnector(TCPConnector):
    """Opens sockets to public addresses and to allowed hosts, to no others."""

    def __init__(self, allowed: Sequence[AllowedHost], resolver: AbstractResolver | None = None) -> None:
        super().__init__(
            limit=CONNECTIONS,
            resolver=VouchingResolver(allowed, resolver or SystemResolver()),
            socket_factory=self._socket,
        )
        self._allowed = allowed

    def _socket(self, addr_info: AddrInfoType) -> socket.socket:
        family, kind, proto, _, (host, port, *_) = addr_info
        if not isinstance(host, Vouched) and (why := refusal(str(host), int(port), self._allowed)):
            raise Blocked(why)
        return socket.socket(family, kind, proto)


def guarded_session(
    allowed: Sequence[AllowedHost], resolver: AbstractResolver | None = None
) -> ClientSession:
    """The session for `build_registry`: guarded, no cookies kept, no proxy taken from the environment."""
    return ClientSession(connector=GuardedConnector(allowed, resolver), cookie_jar=DummyCookieJar())
