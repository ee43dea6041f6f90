"""The console's files: what is served, and that they depend on nothing else."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from gateway.console.assets import POLICY, assets

if TYPE_CHECKING:
    from tests.services.conftest import Api

FIRST_PAGE = 150_000
"""Maximum bytes of everything that the first page loads, compressed."""
MODULES = {path: asset.content.decode() for path, asset in assets().items() if path.endswith(".js")}
OWN_MODULES = {path: text for path, text in MODULES.items() if not path.startswith("vendor/")}
STATIC = re.compile(r"""^(?:import|export)\b[^;=(]*?\bfrom\s*["']([^"']+)["']""", re.MULTILINE)
DYNAMIC = re.compile(r"""\bimport\s*\(\s*["']([^"']+)["']\s*\)(?!\.[A-Z])""")
"""Imports when a script runs, and not the names of types in comments."""


def target_of(module: str, imported: str) -> str:
    """The path of an imported module."""
    parts = module.split("/")[:-1]
    for part in imported.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


@pytest.mark.parametrize("path", ["/", "/runs", "/runs/run_1", "/goals/goal_1", "/system"])
async def test_every_page_is_the_same_document(api: Api, path: str) -> None:
    answer = await api.get(path)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.body == assets()["index.html"].content


async def test_a_page_that_does_not_exist_is_not_found(api: Api) -> None:
    for path in ("/nothing", "/console/nothing.js", "/console/../settings.py", "/console/%2e%2e/settings.py"):
        assert (await api.get(path)).status == 404


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/nothing", "/runs/run_1/steps", "/mcp", "/health/nothing"])
async def test_a_browser_gets_the_console_at_an_address_without_a_page(api: Api, path: str) -> None:
    answer = await api.get(path, headers=BROWSER)
    assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.body == assets()["index.html"].content
    again = await api.get(path, headers=BROWSER | {"If-None-Match": answer.headers["etag"]})
    assert again.status == 404


@pytest.mark.parametrize("path", ["/api/nothing", "/api/v1/nothing", "/console/nothing.js"])
async def test_a_browser_gets_json_below_the_api_and_the_files(api: Api, path: str) -> None:
    answer = await api.get(path, headers=BROWSER)
    assert (answer.status, answer.json["error"]) == (404, "Not Found")


@pytest.mark.parametrize("accept", ["*/*", "application/json", None])
async def test_a_client_that_does_not_ask_for_html_gets_json(api: Api, accept: str | None) -> None:
    answer = await api.get("/nothing", headers={} if accept is None else {"Accept": accept})
    assert (answer.status, answer.json["error"]) == (404, "Not Found")


async def test_a_file_is_sent_again_only_if_it_has_changed(api: Api) -> None:
    first = await api.get("/console/console.js")
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    again = await api.get("/console/console.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    changed = await api.get("/console/console.js", headers={"If-None-Match": '"other"'})
    assert changed.status == 200


@pytest.mark.parametrize("module", OWN_MODULES)
def test_modules_import_only_files_of_the_console(module: str) -> None:
    for imported in STATIC.findall(MODULES[module]) + DYNAMIC.findall(MODULES[module]):
        assert imported.startswith("."), imported
        assert target_of(module, imported) in MODULES


@pytest.mark.parametrize("path", [path for path in assets() if not path.startswith("vendor/")])
def test_no_file_names_another_host(path: str) -> None:
    text = assets()[path].content.decode()
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)[^\s\"'`]+", text) == []


def test_the_document_has_no_inline_script_or_style() -> None:
    document = assets()["index.html"].content.decode()
    assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", document) == []


def test_vendored_modules_are_those_of_the_manifest() -> None:
    manifest = json.loads(assets()["vendor/manifest.json"].content)
    listed = {f"vendor/{one['file']}": one for one in manifest}
    assert listed.keys() == MODULES.keys() - OWN_MODULES.keys()
    for path, one in listed.items():
        assert hashlib.sha256(assets()[path].content).hexdigest() == one["sha256"], path
        assert f"{path}.LICENSE.txt" in assets(), path


def test_types_are_checked_with_the_versions_that_are_vendored() -> None:
    checked = json.loads((files("gateway.console") / "types" / "package.json").read_text())["devDependencies"]
    manifest = json.loads(assets()["vendor/manifest.json"].content)
    vendored = {one["package"]: one["version"] for one in manifest}
    assert {
        name: version for name, version in checked.items() if name in vendored
    }.items() <= vendored.items()
    assert len(checked.keys() & vendored.keys()) > 1


def test_the_first_page_is_small() -> None:
    """The entry module and the page that it shows first, with everything that they import."""
    needed, loaded = ["console.js", "pages/home.js"], {"index.html", "console.css", "icon.svg"}
    while needed:
        module = needed.pop()
        if module not in loaded:
            loaded.add(module)
            needed += [target_of(module, one) for one in STATIC.findall(MODULES[module])]
    assert sum(len(gzip.compress(assets()[path].content)) for path in loaded) < FIRST_PAGE
