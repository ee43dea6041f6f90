"""The file of a snapshot."""

from __future__ import annotations

import os
import time
from pathlib import Path

from contracts.runtime import snapshot_file
from contracts.runtime.continuity import Mark
from contracts.runtime.snapshot_file import LEFTOVER_S, Header


def test_what_a_killed_process_left_is_removed_and_what_another_one_writes_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "planner.snapshot"
    left, written = (tmp_path / f"planner.snapshot.{pid}.new" for pid in (1, 2))
    for file in (left, written):
        file.touch()
    long_ago = time.time() - LEFTOVER_S - 1
    os.utime(left, (long_ago, long_ago))
    header = Header(snapshot_file.program_version(), "", "", {}, Mark())
    snapshot_file.write(path, header, "{}")
    assert sorted(tmp_path.iterdir()) == [path, written]
    assert snapshot_file.read(path) == (header, "{}")
