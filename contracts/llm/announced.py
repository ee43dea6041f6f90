"""Tool calls that an answer announces and does not make. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

_ANNOUNCES = (
    r"\b(?:I(?:['\u2019]ll|\s+will|\s+am\s+going\s+to|['\u2019]m\s+going\s+to|\s+now)|let\s+me|let['\u2019]s)\b"
    r"[^:;]{0,160}?\b(?:use|using|call|calling|run|running|invoke|invoking|execute|executing|with|via)\s+(?:the\s+)?"
)
_RELATIVE = re.compile(
    r"\b(?:not|never|no|without|if|unless|when|whenever|once|after|would|could|should|may|might|can|want|need"
    r"|know|ask|later|instead|next\s+time)\b|n['\u2019]t\b|\?",
    re.IGNORECASE,
)
"""Words of sentences that promise nothing for now: `I will use lookUp if you agree`."""
_SEARCHED = 2000
"""Characters at the end of a text that are searched."""
_END_OF_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def announced_tool(text: str, offered: Collection[str]) -> str | None:
    """The offered tool that the last sentence says is called now, such as `I will now use lookUp`."""
    sentences = [one for one in _END_OF_SENTENCE.split(text.rstrip()[-_SEARCHED:]) if one.strip()]
    if not sentences or _RELATIVE.search(sentences[-1]):
        return None
    for name in offered:
        call = rf"{_ANNOUNCES}[`'\"*]*(?:functions\.)?{re.escape(name)}\b"
        if re.search(call, sentences[-1], re.IGNORECASE):
            return name
    return None
