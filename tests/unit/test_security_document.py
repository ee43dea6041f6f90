"""The tests that SECURITY.md names for each threat are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = re.findall(
    r"^\| (?!threat|---)(.+?) \| (.+?) \| (.+?) \|$", (ROOT / "SECURITY.md").read_text("utf-8"), re.MULTILINE
)


def test_every_threat_has_a_control_and_tests_that_are_there() -> None:
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    defined = set(re.findall(r"^ *(?:async )?def (test_\w+)\(", tests, re.MULTILINE))
    assert len(ROWS) > 15
    for threat, _, named in ROWS:
        names = set(re.findall(r"`(test_\w+)`", named))
        assert names, f"no test for: {threat}"
        assert names <= defined, f"not there: {names - defined}"
