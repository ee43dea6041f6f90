"""A mail server on this machine, and the tool that sends to it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from contracts.core.event import Json
from executor.tools.artifacts import Artifacts
from executor.tools.send_email import send_email
from executor.tools.settings import ToolSettings
from executor.tools.tool import CallContext

CALL = CallContext("run_1/001")
HANG_UP = "hang up"


@dataclass
class MailServer:
    """Speaks just enough SMTP. `replies` overrides what it says to a verb, or to a whole line."""

    port: int = 0
    replies: dict[str, str] = field(default_factory=dict)
    extensions: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting = self.replies.get("greeting", "220 test")
        if greeting != HANG_UP:
            writer.write(f"{greeting}\r\n".encode())
            while line := (await reader.readline()).decode().rstrip("\r\n"):
                self.lines.append(line)
                if (reply := await self._reply(line, reader, writer)) == HANG_UP:
                    break
                writer.write(f"{reply}\r\n".encode())
        writer.close()

    async def _reply(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        verb = line.partition(" ")[0].upper()
        reply = self.replies.get(line, self.replies.get(verb, ""))
        if reply:
            return reply
        if verb == "EHLO":
            return "\r\n".join(
                ["250-test", *(f"250-{extension}" for extension in self.extensions), "250 HELP"]
            )
        if verb == "DATA":
            writer.write(b"354 go on\r\n")
            self.messages.append(await reader.readuntil(b"\r\n.\r\n"))
            return self.replies.get("message", "250 taken")
        return "221 bye" if verb == "QUIT" else "250 ok"

    @property
    def message(self) -> EmailMessage:
        """The one message received."""
        [content] = self.messages
        parsed = message_from_bytes(content.removesuffix(b".\r\n"), policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def recipients(self) -> list[str]:
        return [line.split("<")[1].split(">")[0] for line in self.lines if line.startswith("RCPT")]


async def send(server: MailServer, artifacts: Path, params: dict[str, Json], **settings: Any) -> Json:
    given = {
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port,
        "smtp_from": "Agent <agent@a.example>",
        **settings,
    }
    tool = send_email(ToolSettings(_env_file=None, **given), Artifacts(artifacts))
    return await tool.invoke({"to": "to@b.example", "subject": "Hi", "body": "Hello Zoë", **params}, CALL)
