"""Which requests of a browser are refused on every port."""

from __future__ import annotations

import pytest

from contracts.runtime.process.browsers import BrowserRules

RULES = BrowserRules(frozenset({"api.example.org"}), frozenset({"https://app.example"}))
LOCAL = {"Host": "localhost:3000"}


@pytest.mark.parametrize(
    "host",
    [
        "localhost:3000",
        "LOCALHOST.",
        "127.0.0.1:3000",
        "[::1]:3000",
        "192.168.1.7",
        "gateway:3000",
        "web.localhost",
        "printer.local:80",
        "api.example.org:443",
        "",
    ],
)
def test_a_host_name_that_cannot_be_registered_is_allowed(host: str) -> None:
    assert RULES.problem("GET", {"Host": host}) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example:3000",
        "127.0.0.1.evil.example",
        "[::1",
        "localhost@evil.example",
        ":80",
    ],
)
def test_any_other_host_name_is_refused_with_the_setting_to_change(host: str) -> None:
    problem = RULES.problem("GET", {"Host": host})
    assert problem
    assert "ALLOWED_HOSTS" in problem


def test_every_name_is_allowed_by_a_star() -> None:
    assert BrowserRules(frozenset({"*"})).problem("GET", {"Host": "evil.example"}) is None


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}, True),
        ({"Origin": "http://localhost:3000"}, True),
        ({"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://localhost:9"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:9"}, False),
    ],
)
def test_a_page_of_another_site_may_change_nothing(
    method: str, headers: dict[str, str], allowed: bool
) -> None:
    assert (RULES.problem(method, LOCAL | headers) is None) == allowed
    assert RULES.problem("GET", LOCAL | headers) is None


CROSS = {"Sec-Fetch-Site": "cross-site"}
FETCHED = CROSS | {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        (CROSS | {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, True),
        (CROSS | {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, False),
        (CROSS | {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, False),
        (
            CROSS | {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Origin": "https://evil.example"},
            False,
        ),
        (
            CROSS | {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Origin": "https://app.example"},
            True,
        ),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, False),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, True),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, True),
    ],
)
def test_a_page_of_another_site_may_link_to_an_answer_and_not_embed_or_fetch_it(
    headers: dict[str, str], allowed: bool
) -> None:
    assert (RULES.problem("GET", LOCAL | headers) is None) == allowed
