"""JSON that somebody else wrote."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.core.foreign_json import TooLargeInteger, parse_json


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 0, 10**18, 1234567890123456789])
def test_an_integer_of_64_bits_is_kept(number: int) -> None:
    assert parse_json(b'{"n": %d}' % number) == {"n": number}


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 18446744073709551617, 10**100])
def test_a_larger_one_is_refused_with_its_place(number: int) -> None:
    with pytest.raises(TooLargeInteger) as refused:
        parse_json(b'{"a": [1, {"n": %d}]}' % number)
    assert refused.value.path == ("a", 1, "n")
    assert "in quotes" in str(refused.value)


@pytest.mark.parametrize("raw", [b"1e30", b"18446744073709551617.5", b'"18446744073709551617"'])
def test_a_float_and_a_text_may_have_any_number_of_digits(raw: bytes) -> None:
    assert parse_json(raw) == json.loads(raw)


@pytest.mark.parametrize("raw", [b"", b"{", b"NaN", b"\xff", b"1" * 5000, b"[" * 100_000 + b"1" * 20])
def test_unreadable_json_is_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_json(raw)


@given(
    st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_json_is_read_exactly_or_refused(value: Any) -> None:
    raw = json.dumps(value).encode()
    try:
        assert parse_json(raw) == value
    except TooLargeInteger:
        with pytest.raises(TypeError):
            orjson.dumps(value)
