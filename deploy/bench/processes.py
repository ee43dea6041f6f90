"""What the processes of a system take: CPU time and memory, as Linux counts them in /proc."""

from __future__ import annotations

import os
from pathlib import Path

from deploy.local.system import LocalSystem


def cpu_s(system: LocalSystem) -> dict[str, float]:
    """Seconds of CPU time that each process has used, by name; empty where there is no /proc."""
    pids = {name: child.pid for name, child in system.children.items()}
    pids["nats"] = system.nats.pid if system.nats else None
    return {name: _cpu_s(pid) for name, pid in pids.items() if pid and _stat(pid).exists()}


def peak_rss_mb(pid: int) -> float | None:
    """Largest resident memory of a process so far, in MiB; None where there is no /proc."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    peak = next((line for line in lines if line.startswith("VmHWM:")), None)
    return int(peak.split()[1]) / 1024 if peak else None


def _stat(pid: int) -> Path:
    return Path(f"/proc/{pid}/stat")


def _cpu_s(pid: int) -> float:
    """utime plus stime, fields 14 and 15 of proc_pid_stat(5); the name in field 2 may hold spaces."""
    after_name = _stat(pid).read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
