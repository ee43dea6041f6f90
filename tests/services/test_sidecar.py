"""The side port of a service."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession
from prometheus_client import Gauge

from contracts.runtime.process.settings import Settings
from contracts.runtime.process.sidecar import CannotListen, side_port


async def test_metrics_are_measured_when_they_are_asked_for() -> None:
    gauge = Gauge("test_sidecar_measured", "How often it was looked at.")

    async def look() -> str | None:
        gauge.inc()
        return "a problem"

    settings = Settings(_env_file=None)
    async with side_port(settings, {"look": look}) as port, ClientSession() as http:
        for times in (1, 2):
            async with http.get(f"http://127.0.0.1:{port}/metrics") as answer:
                assert answer.status == 200
                assert f"test_sidecar_measured {times}.0" in await answer.text()


@pytest.mark.parametrize("path", ["healthz", "readyz", "metrics"])
async def test_a_page_of_another_site_gets_nothing_from_a_side_port(path: str) -> None:
    async with side_port(Settings(_env_file=None), {}) as port, ClientSession() as http:
        url = f"http://127.0.0.1:{port}/{path}"
        async with http.get(url) as answer:
            assert answer.status == 200
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        async with http.get(url, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403
            assert "ALLOWED_HOSTS" in (await answer.json())["error"]
        async with http.post(url, headers={"Origin": "https://evil.example"}) as answer:
            assert answer.status == 403


async def test_a_port_that_is_taken_is_named_with_the_settings_to_change() -> None:
    async with side_port(Settings(_env_file=None), {}) as taken:
        settings = Settings(_env_file=None, metrics_port=taken)
        with pytest.raises(
            CannotListen, match=rf"metrics on 127\.0\.0\.1:{taken} .*set METRICS_HOST and METRICS_PORT"
        ):
            async with side_port(settings, {}):
                pass
