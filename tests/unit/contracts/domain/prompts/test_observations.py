"""Tool calls of a turn in the forms that clients and models read."""

from __future__ import annotations

from contracts.domain.prompts.observations import Observed, failure, observation, shown_call, working_memory

OK = Observed(1, 1, "readFile", {"path": "a"}, {"content": "x"})
TEXT = Observed(1, 2, "fetchPage", {"url": "u"}, "text")
BAD = Observed(1, 0, "sendWebhook", {"url": "u"}, error="no answer")
WORSE = Observed(1, 3, "sendEmail", {}, error="not configured")


def test_an_observation_has_successes_first() -> None:
    assert observation([BAD, TEXT, OK]) == (
        '[readFile] {\n  "content": "x"\n}\n\n[fetchPage] text\n\n[sendWebhook] Error: no answer'
    )
    assert observation([]) is None


def test_the_first_success_stands_for_a_turn() -> None:
    assert shown_call([BAD, TEXT, OK]) is OK
    assert shown_call([BAD]) is None


def test_a_turn_failed_only_if_every_call_did() -> None:
    assert failure([BAD, WORSE]) == "no answer; not configured"
    assert failure([BAD, OK]) is None
    assert failure([]) is None


def test_the_working_memory_holds_every_result_under_its_key() -> None:
    assert working_memory([OK, BAD]) == {"step_1_readFile_1": {"content": "x"}}
    assert working_memory([TEXT], "done") == {"step_1_fetchPage_2": "text", "summary": "done"}
