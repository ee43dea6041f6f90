"""The network addresses that tools may connect to: public ones, and those that the operator allows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

WEB_PORTS = frozenset({80, 443})
"""Ports of public servers that tools may connect to, unless ALLOWED_PORTS says otherwise."""

_NAT64 = ip_network("64:ff9b::/96")
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""Third quarter of an IPv6 address whose last quarter is an IPv4 address (RFC 5214)."""
_SPECIAL: tuple[tuple[Network, str], ...] = (
    (ip_network("168.63.129.16/32"), "cloud metadata"),
    (ip_network("169.254.0.0/16"), "link-local, cloud metadata"),
    (ip_network("fd00:ec2::/32"), "cloud metadata"),
    (ip_network("100.64.0.0/10"), "shared address space"),
    (ip_network("192.0.0.0/24"), "protocol assignments"),
    (ip_network("64:ff9b:1::/48"), "local NAT64"),
    (ip_network("2001::/23"), "protocol assignments, Teredo"),
    (ip_network("192.88.99.0/24"), "former 6to4 relays"),
    (ip_network("2001:db8::/32"), "documentation"),
    (ip_network("3fff::/20"), "documentation"),
    (ip_network("5f00::/16"), "segment routing"),
)
"""Ranges that some versions of ipaddress treat as global, or that need a clearer name in messages."""


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """One entry of the allow-list: a host name or a network, on one port or all."""

    name: str = ""
    network: Network | None = None
    port: int | None = None

    @classmethod
    def parse(cls, entry: str) -> AllowedHost:
        """`example.local`, `example.local:8080`, `10.1.2.3`, `[fd00::1]:80` or `10.0.0.0/8`.

        Raises:
            ValueError: `entry` has none of these forms.
        """
        try:
            return cls(network=ip_network(entry, strict=False))
        except ValueError:
            pass
        try:
            parts = urlsplit(f"//{entry}")
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port = "", None
        if not host or parts.netloc != entry or "@" in entry:
            raise ValueError(
                f"ALLOWED_PRIVATE_HOSTS: {entry!r} is not a host, host:port, IP address or CIDR network"
            )
        try:
            return cls(network=ip_network(host), port=port)
        except ValueError:
            return cls(name=_folded(host), port=port)

    def covers_name(self, host: str, port: int) -> bool:
        """Whether this entry allows the host name `host` on `port`."""
        return self.name == _folded(host) and self.port in {None, port}

    def covers_address(self, address: Address, port: int) -> bool:
        """Whether this entry is a network that contains `address`, and allows `port`."""
        return self.network is not None and address in self.network and self.port in {None, port}


def refusal(
    host: str, port: int, allowed: Iterable[AllowedHost], ports: Collection[int] = WEB_PORTS
) -> str | None:
    """Why connecting to the numeric address `host` is not allowed; None if it is allowed.

    An address that `allowed` covers needs no port of `ports`.
    """
    address = _effective(ip_address(host))
    if any(entry.covers_address(address, port) for entry in allowed):
        return None
    if reason := _not_public(address):
        return f"Blocked address {host}: {reason}. Set ALLOWED_PRIVATE_HOSTS to allow it"
    if port not in ports:
        usual = ", ".join(map(str, sorted(ports)))
        return f"Blocked port {port} of {host}: only {usual} are allowed. Set ALLOWED_PORTS to allow more"
    return None


def _effective(address: Address) -> Address:
    """The real destination of `address`: an IPv4 address that is embedded in an IPv6 address is extracted."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64 or int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _not_public(address: Address) -> str | None:
    for network, reason in _SPECIAL:
        if address in network:
            return reason
    checks = (
        (address.is_loopback, "loopback"),
        (address.is_unspecified, "unspecified"),
        (address.is_link_local, "link-local"),
        (address.is_multicast, "multicast"),
        (isinstance(address, IPv6Address) and address.is_site_local, "site-local"),
        (address.is_private, "private network"),
        (address.is_reserved, "reserved"),
        (not address.is_global, "not public"),
    )
    return next((reason for holds, reason in checks if holds), None)


def _folded(host: str) -> str:
    return host.rstrip(".").casefold()
