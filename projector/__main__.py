"""`python -m projector`: the projector as a process."""

from __future__ import annotations

from projector.service import SERVICE

if __name__ == "__main__":
    SERVICE.main()
