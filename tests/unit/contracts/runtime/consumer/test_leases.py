"""What a process that dies leaves to the next one on its host."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from contracts.runtime.consumer import leases as module
from contracts.runtime.consumer.leases import Leases


def die(leases: Leases) -> None:
    """What the operating system does for a killed process: close its files."""
    os.close(leases._file)


def test_an_unsettled_message_is_taken_over(tmp_path: Path) -> None:
    dead = Leases(tmp_path)
    for ack_subject in ("ack.1", "ack.2", "ack.3"):
        dead.add(ack_subject)
    dead.remove("ack.2")
    die(dead)
    assert Leases(tmp_path).take_over(lease_s=15) == ["ack.1", "ack.3"]


def test_the_messages_of_a_dead_process_are_taken_over_once(tmp_path: Path) -> None:
    dead = Leases(tmp_path)
    dead.add("ack.1")
    die(dead)
    heir = Leases(tmp_path)
    assert heir.take_over(lease_s=15) == ["ack.1"]
    assert heir.take_over(lease_s=15) == []


def test_a_living_process_keeps_what_it_has(tmp_path: Path) -> None:
    living = Leases(tmp_path)
    living.add("ack.1")
    assert Leases(tmp_path).take_over(lease_s=15) == []


def test_a_lease_that_is_too_old_is_not_taken_over(tmp_path: Path) -> None:
    dead = Leases(tmp_path)
    dead.add("ack.1")
    os.utime(dead._path, (0, 0))
    die(dead)
    assert Leases(tmp_path).take_over(lease_s=15) == []


@pytest.mark.parametrize(("age_s", "taken"), [(9, ["ack.1"]), (11, []), (-86400, [])])
def test_a_message_that_may_have_been_delivered_to_another_process_is_not_taken_over(
    tmp_path: Path, age_s: int, taken: list[str]
) -> None:
    """The file is as young as the newest message; of the others the server may have heard 5 s before."""
    dead = Leases(tmp_path)
    dead.add("ack.1")
    last_written = time.time() - age_s
    os.utime(dead._path, (last_written, last_written))
    die(dead)
    assert Leases(tmp_path).take_over(lease_s=15) == taken


def test_a_sign_of_life_keeps_it_young(tmp_path: Path) -> None:
    dead = Leases(tmp_path)
    dead.add("ack.1")
    os.utime(dead._path, (0, 0))
    dead.touch()
    die(dead)
    assert Leases(tmp_path).take_over(lease_s=15) == ["ack.1"]


def test_a_line_cut_short_by_the_crash_is_left_out(tmp_path: Path) -> None:
    dead = Leases(tmp_path)
    dead.add("ack.1")
    os.write(dead._file, b"\xff\n\n?")
    die(dead)
    assert Leases(tmp_path).take_over(lease_s=15) == ["ack.1"]


def test_the_file_is_rewritten_when_it_is_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewritten, it still is complete and locked."""
    monkeypatch.setattr(module, "COMPACT_AT", 10)
    leases = Leases(tmp_path)
    leases.add("ack.kept")
    for n in range(100):
        leases.add(f"ack.{n}")
        leases.remove(f"ack.{n}")
    assert len(leases._path.read_text().splitlines()) < 25
    assert Leases(tmp_path).take_over(lease_s=15) == []
    die(leases)
    assert Leases(tmp_path).take_over(lease_s=15) == ["ack.kept"]


def test_a_good_end_leaves_nothing(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    leases.add("ack.1")
    leases.remove("ack.1")
    leases.close()
    assert list(tmp_path.iterdir()) == []


def test_settling_what_is_not_held_changes_nothing(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    leases.remove("ack.1")
    assert leases._path.read_text() == ""
    leases.close()
