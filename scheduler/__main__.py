"""`python -m scheduler`: the scheduler as a process."""

from __future__ import annotations

from scheduler.service import SERVICE

if __name__ == "__main__":
    SERVICE.main()
