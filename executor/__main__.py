"""`python -m executor`: the executor as a process."""

from __future__ import annotations

from executor.service import SERVICE

if __name__ == "__main__":
    SERVICE.main()
