"""Taking a stream of server-sent events apart."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from contracts.client.sse import Message, Parser

STREAM = (
    b": a comment\n\n"
    b'id: 7\nevent: substep.started\ndata: {"a": "\xc3\xa4"}\n\n'
    b"data: first line\ndata: second line\n\n"
    b"event: windows\r\ndata: ok\r\n\r\n"
    b"event: cut off\ndata: never finished\n"
)
MESSAGES = [
    Message("substep.started", '{"a": "ä"}', "7"),
    Message("message", "first line\nsecond line"),
    Message("windows", "ok"),
]


@given(st.sets(st.integers(0, len(STREAM))))
def test_the_messages_are_the_same_however_the_stream_is_cut(cuts: set[int]) -> None:
    parser = Parser()
    pieces = [STREAM[start:end] for start, end in pairwise(sorted({0, *cuts, len(STREAM)}))]
    assert [message for piece in pieces for message in parser.feed(piece)] == MESSAGES
