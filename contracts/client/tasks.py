"""Single tasks: an agent is asked once, with files; what that took is kept, and nothing that was said."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp
import orjson

from contracts.api.tasks import TaskParams, TaskResult
from contracts.client.http import Http, given, path

ANSWER_S = 600.0
"""A model takes its time, and is asked again when it does not answer."""
UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file for the agent: text in UTF-8, or an image."""

    name: str
    content: bytes
    media_type: str | None = None
    """None: as the name says."""

    def add_to(self, form: aiohttp.FormData) -> None:
        """Line breaks in names, which would end the name, are escaped as browsers do."""
        name = self.name.replace("\r", "%0D").replace("\n", "%0A")
        media_type = self.media_type or mimetypes.guess_type(self.name)[0] or UNKNOWN
        form.add_field("files", self.content, filename=name, content_type=media_type)


class Tasks:
    """What can be asked about single tasks."""

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
        """Have the active version of an agent do a task; returns when the model has answered."""
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        form.add_fields(("taskName", agent), ("prompt", prompt))
        if params is not None:
            form.add_field("params", orjson.dumps(given(params)).decode())
        for file in files:
            file.add_to(form)
        return await self._http.submit(TaskResult, path("task"), form, timeout_s)
