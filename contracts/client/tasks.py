"""Single tasks: one question to an agent, with files. The server stores usage and cost, but no text."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp
import orjson

from contracts.api.tasks import TaskParams, TaskResult
from contracts.client.http import Http, body_as_json, path

ANSWER_S = 600.0
"""Seconds to wait for an answer. Models are slow, and the server retries them."""
UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file for the agent: text in UTF-8, or an image."""

    name: str
    content: bytes
    media_type: str | None = None
    """None: the type is guessed from the name."""

    def add_to(self, form: aiohttp.FormData) -> None:
        """Add the file to `form`. Line breaks in the name are escaped as browsers do."""
        name = self.name.replace("\r", "%0D").replace("\n", "%0A")
        media_type = self.media_type or mimetypes.guess_type(self.name)[0] or UNKNOWN
        form.add_field("files", self.content, filename=name, content_type=media_type)


class Tasks:
    """Requests about single tasks."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def run(
        self,
        agent: str,
        prompt: str,
        *,
        files: Iterable[Attachment] = (),
        params: TaskParams | None = None,
        timeout_s: float = ANSWER_S,
    ) -> TaskResult:
        """Have the active version of an agent do a task, and wait for the answer."""
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        form.add_fields(("taskName", agent), ("prompt", prompt))
        if params is not None:
            form.add_field("params", orjson.dumps(body_as_json(params)).decode())
        for file in files:
            file.add_to(form)
        return await self._http.submit(TaskResult, path("task"), form, timeout_s)
