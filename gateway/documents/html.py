"""HTML as a tree. Special characters in texts are escaped."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

Child = ET.Element | str
_INLINE = re.compile(r"`(?P<code>[^`]+)`|\[(?P<text>[^\]]+)\]\((?P<link>[^)]+)\)")


def node(tag: str, *children: Child, **attributes: str) -> ET.Element:
    """Return an element. `class_` sets the attribute `class`."""
    element = ET.Element(tag, {name.rstrip("_"): value for name, value in attributes.items()})
    last: ET.Element | None = None
    for child in children:
        if isinstance(child, ET.Element):
            element.append(child)
            last = child
        elif last is None:
            element.text = (element.text or "") + child
        else:
            last.tail = (last.tail or "") + child
    return element


def inline(text: str) -> list[Child]:
    """Convert a text with `code` and [links](to)."""
    children: list[Child] = []
    end = 0
    for match in _INLINE.finditer(text):
        children.append(text[end : match.start()])
        end = match.end()
        if match["code"]:
            children.append(node("code", match["code"]))
        else:
            children.append(node("a", match["text"], href=match["link"]))
    return [*children, text[end:]]


def prose(text: str) -> list[ET.Element]:
    """Convert a text to paragraphs. Empty lines separate them."""
    return [node("p", *inline(paragraph)) for paragraph in text.split("\n\n") if paragraph.strip()]


def document(title: str, style: str, *body: Child) -> bytes:
    """Return a self-contained page."""
    head = node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("title", title),
        node("style", style),
    )
    page = node("html", head, node("body", *body), lang="en")
    text: str = ET.tostring(page, encoding="unicode", method="html")
    return f"<!doctype html>\n{text}".encode()
