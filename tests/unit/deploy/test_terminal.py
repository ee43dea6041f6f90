"""What reaches a terminal: literal text, nothing that it obeys."""

from __future__ import annotations

import ast
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

import deploy
from deploy.printable import is_unicode, printable
from deploy.terminal import Terminal

ESCAPES = "\x1b[2J\x1b]0;title\x07\x9b31m\x08\r\u202eevil"


def on_terminal() -> tuple[Terminal, io.StringIO]:
    file = io.StringIO()
    return Terminal(file=file, force_terminal=True, color_system=None, width=80), file


@pytest.mark.parametrize("text", ["[/v2]", "[bold]x[/bold]", ":smile:", "a [link=x]b"])
def test_a_string_is_not_markup(text: str) -> None:
    terminal, file = on_terminal()
    terminal.print(text)
    terminal.note(text)
    terminal.print(Table(text, title=text))
    terminal.print_whole(text)
    with terminal.busy(text):
        pass
    assert file.getvalue().count(text) >= 5


def test_no_control_character_gets_through() -> None:
    terminal, file = on_terminal()
    terminal.print(ESCAPES)
    terminal.note(ESCAPES)
    terminal.literal(ESCAPES)
    terminal.markdown(f"# {ESCAPES}\n\n`{ESCAPES}` [link](http://{ESCAPES})\n\n```\n{ESCAPES}\n```")
    shown = file.getvalue().replace("\x1b[1m", "").replace("\x1b[1;4m", "").replace("\x1b[0m", "")
    for character in ("\x1b", "\x07", "\x9b", "\x08", "\r", "\u202e"):
        assert character not in shown
    assert r"\u001b[2J" in shown


@given(st.text())
def test_printable_text_is_not_changed_and_json_stays_json(text: str) -> None:
    line = json.dumps({"text": text}, ensure_ascii=False)
    assert json.loads(printable(line)) == json.loads(line)
    assert printable(printable(text)) == printable(text)
    assert printable("größe 日本 😀\ttab\n") == "größe 日本 😀\ttab\n"


def test_a_program_gets_the_text_as_it_is() -> None:
    file = io.StringIO()
    Terminal(file=file).markdown(f"# {ESCAPES}")
    assert file.getvalue() == f"# {ESCAPES}\n"


def test_bytes_that_were_not_text_are_distinguishable() -> None:
    assert is_unicode("größe 😀")
    assert not is_unicode(b"\xff".decode(errors="surrogateescape"))


def test_every_console_is_a_terminal_of_ours() -> None:
    """Any other one would read markup in what users and models write."""
    for file in Path(deploy.__file__).parent.rglob("*.py"):
        calls = [node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
        assert "Console" not in {call.id for call in calls if isinstance(call, ast.Name)}, file
