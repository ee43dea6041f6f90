from __future__ import annotations

from contracts.core.text import clean_json, clean_text


def test_nul_and_lone_surrogates_become_the_replacement_character() -> None:
    assert clean_text("a\x00b\ud800c\udfff") == "a\ufffdb\ufffdc\ufffd"


def test_all_other_text_stays_as_it_is() -> None:
    text = "tab\t, newline\n, é, 漢, 😀, \x01"

    assert clean_text(text) == text


def test_json_is_cleaned_in_keys_and_at_any_depth() -> None:
    value = {"a\x00": [{"b": "\ud83d"}, 1, 2.5, True, None, ("x\x00",)]}

    assert clean_json(value) == {"a\ufffd": [{"b": "\ufffd"}, 1, 2.5, True, None, ["x\ufffd"]]}
