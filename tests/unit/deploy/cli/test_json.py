"""`--json` prints the answer of the API without changing it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from contracts.api.executions import DagExecutionList, ExecutionDetail
from deploy.cli.resources import command

LARGEST = 2**64 - 1
"""The largest integer that the API accepts. A float would round it."""


@pytest.mark.parametrize(
    ("kind", "answer", "printed"),
    [
        (ExecutionDetail, {"id": "e", "n": LARGEST}, {"id": "e", "n": LARGEST}),
        (DagExecutionList, {"executions": [{"n": LARGEST, "é": None}]}, [{"n": LARGEST, "é": None}]),
    ],
)
async def test_integers_are_printed_exactly(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: type[Any],
    answer: Any,
    printed: Any,
) -> None:
    class Client:
        def __init__(self, _: str, *, api_key: str | None, on_answer: Any) -> None:
            self._on_answer = on_answer

        async def __aenter__(self) -> Client:
            return self

        async def __aexit__(self, *_: object) -> None: ...

        async def ask(self) -> Any:
            self._on_answer(orjson.dumps(answer))
            return kind.model_construct(pagination=None)

    monkeypatch.setattr(command, "Client", Client)
    await command._print_json("http://x", None, Client.ask)  # type: ignore[arg-type]  # as much of it as is needed
    assert capsys.readouterr().out == orjson.dumps(printed).decode() + "\n"
