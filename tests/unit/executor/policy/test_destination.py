"""Who has named a destination: an address counts only as a whole."""

from __future__ import annotations

import pytest

from contracts.core.event import Json
from contracts.core.tool import Outward
from executor.policy.destination import mentions, parts, who_named
from executor.policy.rules import DEFAULT_RULES, PolicySettings

EMAIL, URL, OTHER = (Outward(kind=kind) for kind in ("email", "url", "other"))


@pytest.mark.parametrize(
    "text",
    [
        "bob@x.org",
        "Mail bob@x.org.",
        "Mail bob@x.org, then stop",
        "to:bob@x.org",
        "Bob <bob@x.org>",
        '{"to":"bob@x.org"}',
        "[bob](mailto:bob@x.org)",
        "is it bob@x.org?!",
        "not rob@x.org but bob@x.org",
        "bob@x.org and bob@x.org.evil.example",
    ],
)
def test_an_address_in_a_text_is_named_by_it(text: str) -> None:
    assert mentions(text, "bob@x.org")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "notbob@x.org",
        "not-bob@x.org",
        "a.bob@x.org",
        "bob@x.org.evil.example",
        "bob@x.organic",
        "bob@x.org-evil.example",
        "bob@x.org@evil.example",
        "bob@x.org/evil",
        "bob@x.org\U000e0065",
        "bob@x.org\u200b.evil.example",
    ],
)
def test_a_part_of_another_address_is_not_named(text: str) -> None:
    assert not mentions(text, "bob@x.org")


def test_case_counts_in_urls_and_not_in_addresses() -> None:
    assert who_named("BOB@X.org", EMAIL, ["write to bob@x.org"], DEFAULT_RULES) == "the goal"
    assert who_named("https://x.org/A", URL, ["post to https://x.org/a"], DEFAULT_RULES) is None


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("ann@example.com", True),
        (" ANN@Example.com ", True),
        ("bob@example.com", False),
        ("bob@team.example", True),
        ("bob@evil.team.example", False),
        ("team.example", False),
        ("bob@team.example@evil.example", False),
        ("ann@example.com.evil.example", False),
    ],
)
def test_recipients_are_allowed_by_address_or_domain(address: str, is_allowed: bool) -> None:
    rules = PolicySettings(_env_file=None, allowed_recipients="ann@example.com,@team.example").rules
    assert rules.allows_recipient(address) is is_allowed


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://hooks.example/a?b=c", True),
        ("HTTPS://Hooks.Example", True),
        ("http://127.0.0.1:8080/x", True),
        ("http://127.0.0.1:8081/x", False),
        ("https://hooks.example.evil.example", False),
        ("https://hooks.example@evil.example/", False),
        ("https://evil.example/hooks.example", False),
        ("https://evil.example#hooks.example", False),
        ("hooks.example", False),
        ("https://[", False),
    ],
)
def test_webhooks_are_allowed_by_host(url: str, is_allowed: bool) -> None:
    rules = PolicySettings(_env_file=None, allowed_webhook_hosts="hooks.example,127.0.0.1:8080").rules
    assert rules.allows_url(url) is is_allowed


@pytest.mark.parametrize("entry", ["ann", "@", "ann@", "Ann <ann@x.org>", "a b@x.org", "a@b@c"])
def test_an_invalid_recipient_in_the_settings_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match=r"ALLOWED_RECIPIENTS: .* is not an e-mail address such as"):
        PolicySettings(_env_file=None, allowed_recipients=entry)


@pytest.mark.parametrize("entry", ["https://hooks.example", "hooks.example/path", "a@hooks.example", ":80"])
def test_an_invalid_host_in_the_settings_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match=r"ALLOWED_WEBHOOK_HOSTS: .* is not a host such as"):
        PolicySettings(_env_file=None, allowed_webhook_hosts=entry)


@pytest.mark.parametrize(
    ("value", "outward", "expected"),
    [
        ("a@x.org", EMAIL, {"a@x.org"}),
        (["a@x.org", "b@x.org"], EMAIL, {"a@x.org", "b@x.org"}),
        ({"key": ["v", 7, None, True, {"k": 1.5}]}, OTHER, {"key", "v", "7", "k", "1.5"}),
        ({"key": "v"}, URL, {"v"}),
    ],
)
def test_all_texts_and_numbers_of_a_destination_count(
    value: Json, outward: Outward, expected: set[str]
) -> None:
    assert set(parts(value, outward)) == expected
