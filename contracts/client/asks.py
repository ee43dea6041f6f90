"""Questions of runs to a person."""

from __future__ import annotations

from contracts.api.asks import AskAnswer, AskAnswered, AskList, AskRow, AskStatus
from contracts.client.http import Http, path

ASKS = "asks"


class Asks:
    """Requests about questions to a person."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def find(
        self,
        *,
        status: AskStatus | None = None,
        run_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AskList:
        """Get a page of questions, newest first."""
        given = {"status": status, "runId": run_id, "limit": limit, "cursor": cursor}
        return await self._http.get(AskList, path(ASKS), **given)

    async def get(self, ask_id: str) -> AskRow:
        """Get one question."""
        return await self._http.get(AskRow, path(ASKS, ask_id))

    async def answer(self, ask_id: str, given: AskAnswer) -> AskAnswered:
        """Answer a question. The run goes on at once. It needs the scope `approve`."""
        return await self._http.send(AskAnswered, "POST", path(ASKS, ask_id, "answer"), given)
