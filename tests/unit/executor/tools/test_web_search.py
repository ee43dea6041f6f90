"""What webSearch asks, and what it makes of the answers."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from ddgs.ddgs import DDGS
from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException

from contracts.core.outcome import Reject, Retry
from executor.tools.search import Ddgs, Hit
from executor.tools.tool import CallContext
from executor.tools.web_search import queries_in, web_search

CALL = CallContext("run/001")


class FakeBackend:
    """Finds one page for every query but those about nothing."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def search(self, query: str, limit: int) -> list[Hit]:
        self.asked.append((query, limit))
        return [] if "nothing" in query else [Hit(query, f"https://{query}.example/", "…")]


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("cats", ["cats"]),
        ("1. cats\n2. dogs\n\n3) birds", ["cats", "dogs", "birds"]),
        ("* cats\n- dogs\n• birds\n•fish", ["cats", "dogs", "birds", "fish"]),
        ('1. "big cats" - in Africa', ["big cats"]),
        ("3.14 digits of pi", ["3.14 digits of pi"]),
        ("-5 degrees", ["-5 degrees"]),
        ('""', ['""']),
        (" \n \n", []),
    ],
)
def test_a_query_may_be_a_list(text: str, queries: list[str]) -> None:
    assert queries_in(text) == queries


async def test_the_results_of_all_queries_follow_each_other() -> None:
    backend = FakeBackend()
    found = await web_search(backend).invoke({"query": "1. cats\n2. dogs", "limit": 3}, CALL)
    assert backend.asked == [("cats", 3), ("dogs", 3)]
    assert found == [
        {"title": "cats", "url": "https://cats.example/", "snippet": "…"},
        {"title": "dogs", "url": "https://dogs.example/", "snippet": "…"},
    ]


async def test_queries_may_come_as_an_array() -> None:
    backend = FakeBackend()
    await web_search(backend).invoke({"query": ["cats", "dogs"]}, CALL)
    assert backend.asked == [("cats", 10), ("dogs", 10)]


async def test_nothing_found_is_an_empty_list() -> None:
    assert await web_search(FakeBackend()).invoke({"query": "nothing"}, CALL) == []


@pytest.mark.parametrize("query", ["", "\n", "\n".join("abcdefghijklmnopqrstu")])
async def test_no_query_and_too_many_are_rejected(query: str) -> None:
    with pytest.raises(Reject, match="1 to 20 queries"):
        await web_search(FakeBackend()).invoke({"query": query}, CALL)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the ddgs library is to answer or raise; filled with what it was asked."""
    script: dict[str, Any] = {}

    def text(self: DDGS, query: str, **options: Any) -> Any:
        script.update(query=query, thread=threading.current_thread(), **options)
        if isinstance(script["answer"], Exception):
            raise script["answer"]
        return script["answer"]

    monkeypatch.setattr(DDGS, "text", text)
    return script


async def test_ddgs_is_asked_in_a_thread_and_its_names_are_ours(answer: dict[str, Any]) -> None:
    answer["answer"] = [{"title": "T", "href": "https://a.example/", "body": "B"}, {"title": "no address"}]
    assert await Ddgs("bing").search("cats", 7) == [Hit("T", "https://a.example/", "B")]
    assert answer["thread"] is not threading.main_thread()
    assert (answer["query"], answer["max_results"], answer["backend"]) == ("cats", 7, "bing")


async def test_ddgs_finding_nothing_is_an_empty_list(answer: dict[str, Any]) -> None:
    answer["answer"] = DDGSException("No results found.")
    assert await Ddgs().search("cats", 7) == []


@pytest.mark.parametrize(
    "error", [TimeoutException("timed out"), RatelimitException("202"), DDGSException("refused")]
)
async def test_ddgs_failing_is_retried(answer: dict[str, Any], error: Exception) -> None:
    answer["answer"] = error
    with pytest.raises(Retry, match="The search engines failed"):
        await Ddgs().search("cats", 7)
