"""HTTP sessions for tools: every connection, also after redirects, is checked when its socket is created.

Checking the URL is not enough: names resolve to any address, redirects lead anywhere, and addresses can be
written in many ways. So the address of the socket is checked.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection, Sequence

from aiohttp import AddrInfoType, ClientSession, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from executor.tools.addresses import WEB_PORTS, AllowedHost, refusal
from executor.tools.threads import NAMES

CONNECTIONS = 100
"""Maximum number of connections of all tools of a process."""


class Blocked(OSError):
    """The guard refused a connection; `why` says which address, and what to do.

    The text of the exception is the same for every address: for a host with several addresses, asyncio raises
    one of the exceptions only if all have the same text.
    """

    def __init__(self, why: str) -> None:
        super().__init__(errno.EACCES, "refused by the address guard")
        self.why = why


class AllowedAddress(str):
    """A numeric address that an allowed host name resolved to."""

    __slots__ = ()


class SystemResolver(AbstractResolver):
    """Resolves host names with the system resolver, in separate threads."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host`, of the address families that this machine has."""
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


class MarkingResolver(AbstractResolver):
    """Resolves host names, and marks the addresses of allowed hosts as AllowedAddress."""

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
                result["host"] = AllowedAddress(result["host"])
        return found

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._resolver.close()


class GuardedConnector(TCPConnector):
    """Connects only to public addresses, on allowed ports, and to allowed hosts."""

    def __init__(
        self,
        allowed: Sequence[AllowedHost],
        ports: Collection[int] = WEB_PORTS,
        resolver: AbstractResolver | None = None,
    ) -> None:
        super().__init__(
            limit=CONNECTIONS,
            resolver=MarkingResolver(allowed, resolver or SystemResolver()),
            socket_factory=self._socket,
        )
        self._allowed = allowed
        self._ports = ports

    def _socket(self, addr_info: AddrInfoType) -> socket.socket:
        family, kind, proto, _, (host, port, *_) = addr_info
        why = refusal(str(host), int(port), self._allowed, self._ports)
        if why and not isinstance(host, AllowedAddress):
            raise Blocked(why)
        return socket.socket(family, kind, proto)


def guarded_session(
    allowed: Sequence[AllowedHost],
    resolver: AbstractResolver | None = None,
    *,
    ports: Collection[int] = WEB_PORTS,
) -> ClientSession:
    """The session for `build_registry`: guarded, without cookies and without proxies of the environment."""
    return ClientSession(connector=GuardedConnector(allowed, ports, resolver), cookie_jar=DummyCookieJar())
