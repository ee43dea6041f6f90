"""Secrets are found in every form in which servers and libraries write them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.settings.redactor import MIN_LENGTH, REDACTED, Redactor

SECRET = 'sk-"pä ss\\w/rd+é?=1234'
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "ASCII JSON": lambda secret: json.dumps(secret)[1:-1],
    "JSON in JSON": lambda secret: orjson.dumps(orjson.dumps(secret).decode())[3:-3].decode(),
    "a Python object": lambda secret: repr([secret])[2:-2],
    "a Python object in JSON": lambda secret: json.dumps(repr([secret]))[3:-3],
    "part of a URL": lambda secret: quote(secret, safe=""),
    "path of a URL": quote,
    "form": quote_plus,
}


def knowing(secret: str) -> Redactor:
    redactor = Redactor()
    redactor.learn("KEY", secret)
    return redactor


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_replaced_in_every_form(form: str) -> None:
    assert knowing(SECRET).text(f"before {FORMS[form](SECRET)} after") == f"before {REDACTED} after"


def test_percent_encoding_is_found_in_lower_case() -> None:
    lower = re.sub("%..", lambda escape: escape[0].lower(), quote(SECRET, safe=""))
    assert lower != quote(SECRET, safe="")
    assert knowing(SECRET).text(lower) == REDACTED


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@given(before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_base64_is_found_at_every_offset(
    encode: Callable[[bytes], bytes], before: bytes, after: bytes
) -> None:
    """As in `Authorization: Basic` and in `AUTH PLAIN`."""
    written = encode(before + SECRET.encode() + after)
    assert REDACTED in knowing(SECRET).text(written.decode())


@given(
    st.text(alphabet='"\\\n/ä€ab', min_size=MIN_LENGTH).filter(lambda text: len(text.strip()) >= MIN_LENGTH)
)
def test_a_document_stays_json(secret: str) -> None:
    """Whatever the secret is: a quote or a backslash of the document is never replaced alone."""
    document = {"alone": secret.strip(), "inside": f'\\"{secret}\\"', secret: 1}
    redacted = orjson.loads(knowing(secret).json(orjson.dumps(document)))
    assert redacted["alone"] == REDACTED
    assert secret.strip() not in redacted["inside"]


def test_other_texts_stay_as_they_are() -> None:
    text = "nothing secret here: sk-another-key"
    assert knowing(SECRET).text(text) == text
    assert knowing(SECRET).json(orjson.dumps(text)) == orjson.dumps(text)


def test_a_short_secret_is_left_alone_and_its_setting_is_named() -> None:
    redactor = knowing("scripted")
    assert redactor.text("the model scripted") == "the model scripted"
    assert redactor.too_short == {"KEY"}


def test_the_lines_of_a_secret_are_secrets() -> None:
    redactor = knowing("first-line-of-key\nsecond-line-of-key\n")
    assert redactor.text("second-line-of-key") == REDACTED


def test_the_password_of_a_url_is_replaced_and_the_host_is_not() -> None:
    redactor = Redactor()
    redactor.learn_userinfo("NATS_URL", "me:p%40ss-word-1")
    assert redactor.text("nats://me:p%40ss-word-1@host:4222") == f"nats://{REDACTED}@host:4222"
    assert redactor.text("p@ss-word-1 was refused") == f"{REDACTED} was refused"


def test_a_short_password_is_replaced_inside_its_url() -> None:
    redactor = Redactor()
    redactor.learn_userinfo("NATS_URL", "me:pw")
    assert redactor.text("nats://me:pw@host") == f"nats://{REDACTED}@host"
    assert redactor.text("me:pw") == "me:pw"
