"""How much memory nats-server may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.memory import memory_of_machine, nats_limit_mib

GIB = 1 << 30


@pytest.mark.parametrize(
    ("memory", "limit_mib"), [(GIB, 256), (4 * GIB, 256), (8 * GIB, 512), (64 * GIB, 1024)]
)
def test_nats_may_use_a_part_of_the_memory(memory: int, limit_mib: int) -> None:
    assert nats_limit_mib(memory) == limit_mib


def test_a_container_has_the_memory_that_it_is_given(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(f"{GIB // 8}\n")
    assert memory_of_machine([limit]) == GIB // 8


@pytest.mark.parametrize("content", [None, "max\n", str(1 << 62)])
def test_without_a_limit_it_is_that_of_the_machine(tmp_path: Path, content: str | None) -> None:
    limit = tmp_path / "memory.max"
    if content is not None:
        limit.write_text(content)
    assert memory_of_machine([limit]) == memory_of_machine([]) > GIB // 4
