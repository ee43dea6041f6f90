"""Search engines over HTTP, as ddgs asks them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from aiohttp import web
from ddgs.base import BaseSearchEngine
from ddgs.engines import ENGINES
from ddgs.results import TextResult

from contracts.core.event import Json
from contracts.core.outcome import Retry
from executor.tools.search import Ddgs, Hit

FOUND = "<div><h2>Cats</h2><a href='https://cats.example/'>x</a><p>about cats</p></div>"


def engine(given: str, url: str) -> type[BaseSearchEngine[TextResult]]:
    class Engine(BaseSearchEngine[TextResult]):
        name: ClassVar[str] = given
        category = "text"
        provider = given
        search_url = url
        search_method = "GET"
        items_xpath = "//div"
        elements_xpath: ClassVar[dict[str, str]] = {
            "title": ".//h2//text()",
            "href": ".//a/@href",
            "body": ".//p//text()",
        }

        def build_payload(self, query: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
            return {"q": query}

    return Engine


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch, serving: Callable[..., Json]) -> Callable[..., Json]:
    """Puts engines in place of the real ones: name and the status that each answers with."""

    async def install(**statuses: int) -> Ddgs:
        async def answer(request: web.Request) -> web.StreamResponse:
            status = statuses[request.path.strip("/")]
            body = FOUND if status == 200 and request.query["q"] == "cats" else "<html></html>"
            return web.Response(status=status, text=body, content_type="text/html")

        url = await serving(answer)
        monkeypatch.setitem(ENGINES, "text", {name: engine(name, f"{url}{name}") for name in statuses})
        return Ddgs(engines=",".join(statuses))

    return install


@pytest.mark.parametrize("status", [429, 202, 403, 503])
async def test_a_refusal_of_an_engine_is_not_an_empty_result(
    engines: Callable[..., Json], status: int
) -> None:
    search = await engines(busy=status)
    with pytest.raises(Retry, match=rf"refused to answer: busy \(HTTP {status}\)"):
        await search.search("cats", 5)


async def test_results_of_another_engine_are_used(engines: Callable[..., Json]) -> None:
    search = await engines(busy=429, good=200)
    assert await search.search("cats", 5) == [Hit("Cats", "https://cats.example/", "about cats")]


async def test_engines_that_answer_without_results_give_an_empty_list(engines: Callable[..., Json]) -> None:
    search = await engines(good=200)
    assert await search.search("nothing", 5) == []
