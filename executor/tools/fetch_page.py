"""fetchPage: the text of one web page or PDF file."""

from __future__ import annotations

from pydantic import Field

from contracts.core.event import Json
from contracts.core.tool import Effect
from executor.tools.inputs import HttpUrl, ToolInput
from executor.tools.pages import Pages
from executor.tools.tool import CallContext, Tool


class FetchPage(ToolInput):
    """The page to fetch."""

    url: HttpUrl = Field(description="Address of the page, http:// or https://")
    max_length: int = Field(
        default=10_000, ge=100, le=50_000, description="Characters of content to return at most"
    )


def fetch_page(pages: Pages) -> Tool[FetchPage]:
    """The tool fetchPage."""

    async def run(request: FetchPage, call: CallContext) -> Json:
        return await pages.fetch(request.url, request.max_length, call)

    return Tool(
        name="fetchPage",
        description=(
            "Fetch one web page, PDF or text file and return its title and main text. "
            "Use it to read a page whose address is known. "
            "loginRequired in a result: it is a login form instead of the page that was asked for."
        ),
        accepts=FetchPage,
        effect=Effect.READ,
        run=run,
    )
