"""Which addresses tools may connect to."""

from __future__ import annotations

import pytest

from executor.tools.addresses import AllowedHost, refusal


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("127.9.9.9", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("10.1.2.3", "private network"),
        ("172.16.0.1", "private network"),
        ("192.168.1.1", "private network"),
        ("fc00::1", "private network"),
        ("fd00:ec2::254", "cloud metadata"),
        ("169.254.169.254", "link-local, cloud metadata"),
        ("168.63.129.16", "cloud metadata"),
        ("100.100.100.200", "shared address space"),
        ("192.0.0.192", "protocol assignments"),
        ("198.18.0.1", "private network"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fec0::1", "site-local"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("255.255.255.255", "private network"),
        ("240.0.0.1", "private network"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "link-local, cloud metadata"),
        ("::127.0.0.1", "reserved"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b:1::7f00:1", "local NAT64"),
        ("2002:7f00:1::", "loopback"),
        ("2002:a00:1::", "private network"),
        ("2a00:1450::5efe:7f00:1", "loopback"),
        ("2a00:1450::200:5efe:a9fe:a9fe", "link-local, cloud metadata"),
        ("::ffff:0:7f00:1", "reserved"),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", "protocol assignments, Teredo"),
        ("2001:4:112::1", "protocol assignments, Teredo"),
        ("64:ff9b::a9fe:a9fe%1", "link-local, cloud metadata"),
        ("::ffff:10.0.0.1%eth0", "private network"),
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str, reason: str) -> None:
    expected = f"Blocked address {address}: {reason}. Set ALLOWED_PRIVATE_HOSTS to allow it"
    assert refusal(address, 80, ()) == expected


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808", "2a00:1450::5efe:808:808"],
)
def test_public_addresses_are_not_refused(address: str) -> None:
    assert refusal(address, 443, ()) is None


@pytest.mark.parametrize(
    ("entry", "address", "port"),
    [
        ("127.0.0.1", "127.0.0.1", 8080),
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("10.0.0.0/8", "10.200.0.1", 80),
        ("10.0.0.5/8", "10.200.0.1", 80),
        ("10.0.0.0/8", "::ffff:10.0.0.1", 80),
        ("[fd00::1]:80", "fd00::1", 80),
        ("fd00::/8", "fd12::1", 80),
        ("::/0", "::1", 80),
    ],
)
def test_an_allowed_network_lifts_the_refusal(entry: str, address: str, port: int) -> None:
    assert refusal(address, port, [AllowedHost.parse(entry)]) is None


@pytest.mark.parametrize(
    ("entry", "address", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8081),
        ("10.0.0.0/8", "192.168.0.1", 80),
        ("10.0.0.0/8", "::1", 80),
        ("localhost", "127.0.0.1", 80),
    ],
)
def test_an_allowed_network_lifts_no_other_refusal(entry: str, address: str, port: int) -> None:
    assert refusal(address, port, [AllowedHost.parse(entry)]) is not None


@pytest.mark.parametrize(
    "address",
    [
        "3fff::1",
        "3fff:fff::1",
        "2001:db8::1",
        "5f00::1",
        "192.88.99.1",
        "100::1",
        "2001:20::1",
        "2001:1::1",
        "2001:4:112::1",
    ],
)
def test_special_ranges_are_refused_whatever_this_python_knows_of_them(address: str) -> None:
    assert "Blocked address" in str(refusal(address, 80, []))


@pytest.mark.parametrize("port", [22, 25, 6379, 8080])
def test_a_public_server_is_reached_on_web_ports_only(port: int) -> None:
    assert "ALLOWED_PORTS" in str(refusal("1.1.1.1", port, []))
    assert refusal("1.1.1.1", 443, []) is None
    assert refusal("1.1.1.1", port, [], {port}) is None
    assert refusal("1.1.1.1", port, [AllowedHost.parse("1.1.1.1")]) is None


def test_names_are_allowed_whatever_their_case_and_final_dot() -> None:
    entry = AllowedHost.parse("Intranet.Example:8080")
    assert entry.covers_name("intranet.example.", 8080)
    assert not entry.covers_name("intranet.example", 80)
    assert not entry.covers_name("sub.intranet.example", 8080)
    assert AllowedHost.parse("intranet.example").covers_name("intranet.example", 1234)


@pytest.mark.parametrize(
    "entry", ["http://a.example", "a.example/path", "a.example:port", "user@a.example", ":80"]
)
def test_an_entry_that_is_not_a_host_is_refused_at_the_start(entry: str) -> None:
    with pytest.raises(ValueError, match="ALLOWED_PRIVATE_HOSTS"):
        AllowedHost.parse(entry)
