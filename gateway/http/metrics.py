"""Metrics of HTTP requests."""

from __future__ import annotations

from functools import cache

from aiohttp import web
from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("gateway_requests", "HTTP requests answered", ["route", "method", "status"])
SECONDS = Histogram(
    "gateway_request_seconds",
    "Seconds from the request's headers to the end of the answer",
    ["route", "method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30, 120),
)
RUNS = Gauge("gateway_runs", "Runs that have not ended, according to the views", ["status"])
OLDEST_RUN = Gauge("gateway_oldest_run_seconds", "Age of the oldest run that has not ended; 0 without one")
DISK_FREE = Gauge("gateway_disk_free_bytes", "Free bytes on the disk of the views")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count_request(request: web.Request, status: int, seconds: float) -> None:
    """Count one finished request."""
    resource = request.match_info.route.resource
    route = resource.canonical if resource else "none"
    method = request.method if request.method in METHODS else "other"
    requests, times = _of(route, method, status)
    requests.inc()
    times.observe(seconds)


@cache
def _of(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    """Return the metrics of a kind of request. The lookup is cached, because it is slower than counting."""
    return REQUESTS.labels(route, method, str(status)), SECONDS.labels(route, method)
