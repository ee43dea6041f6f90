"""`python -m gateway`: the gateway as a process."""

from __future__ import annotations

from gateway.service import SERVICE

if __name__ == "__main__":
    SERVICE.main()
