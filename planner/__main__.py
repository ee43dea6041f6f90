"""`python -m planner`: the planner as a process."""

from __future__ import annotations

from planner.service import SERVICE

if __name__ == "__main__":
    SERVICE.main()
