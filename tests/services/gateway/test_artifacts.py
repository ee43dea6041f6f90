"""Artifacts over HTTP: files in one folder, and nothing outside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.runtime.confined_folder import ConfinedFolder

if TYPE_CHECKING:
    from tests.services.conftest import Api

ARTIFACTS = "/api/v1/artifacts"
PLAIN = "text/plain; charset=utf-8"
PNG = b"\x89PNG\r\n\x1a\n\x00\xff"


@pytest.fixture
def folder(api: Api) -> Path:
    folder = api.gateway.settings.artifacts_dir
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "report.md").write_text("# Zoë", encoding="utf-8")
    (folder / "a" / "one.txt").write_text("one", encoding="utf-8")
    (folder / "a" / "b" / "two words.txt").write_text("two", encoding="utf-8")
    return folder


async def test_a_missing_folder_is_an_empty_list(api: Api) -> None:
    answer = await api.get(ARTIFACTS)
    assert (answer.status, answer.json) == (200, [])
    assert (await api.get(f"{ARTIFACTS}?recursive=true")).json == []


async def test_the_list_has_the_files_at_the_top_or_with_recursive_all(api: Api, folder: Path) -> None:
    assert (await api.get(ARTIFACTS)).json == ["report.md"]
    everything = ["a/b/two words.txt", "a/one.txt", "report.md"]
    assert (await api.get(f"{ARTIFACTS}?recursive=true")).json == everything
    assert (await api.get(f"{ARTIFACTS}?recursive=false")).json == ["report.md"]
    assert (await api.get(f"{ARTIFACTS}?recursive=perhaps")).status == 400


async def test_a_file_is_its_raw_text(api: Api, folder: Path) -> None:
    answer = await api.get(f"{ARTIFACTS}/report.md")
    assert (answer.status, answer.headers["content-type"]) == (200, PLAIN)
    assert answer.body == "# Zoë".encode()
    head = await api.call("HEAD", f"{ARTIFACTS}/report.md")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "6")


@pytest.mark.parametrize(
    "path",
    [
        "a/b/two%20words.txt",
        "a%2Fb%2Ftwo%20words.txt",
        "a/b%2ftwo%20words.txt",
        "./a/b/two%20words.txt",
        "a%2F..%2Fa%2Fb%2Ftwo%20words.txt",
    ],
)
async def test_nested_files_are_found_with_slashes_escaped_or_not(api: Api, folder: Path, path: str) -> None:
    answer = await api.get(f"{ARTIFACTS}/{path}")
    assert (answer.status, answer.body) == (200, b"two")


async def test_the_full_path_that_a_step_returned_is_understood(api: Api, folder: Path) -> None:
    escaped = str(folder.resolve() / "a" / "one.txt").replace("/", "%2F")
    assert (await api.get(f"{ARTIFACTS}/{escaped}")).body == b"one"


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("a.json", b"{}", PLAIN),
        ("a.html", b"<script>alert(1)</script>", PLAIN),
        ("a.svg", b"<svg/>", PLAIN),
        ("a.xhtml", b"<html/>", PLAIN),
        ("a.xml", b"<a/>", PLAIN),
        ("a.js", b"alert(1)", PLAIN),
        ("a.csv", b"a,b", PLAIN),
        ("a.yaml", b"a: 1", PLAIN),
        ("a.eml", b"Subject: x", PLAIN),
        ("LICENSE", b"text without a suffix", PLAIN),
        ("empty", b"", PLAIN),
        ("cut", b"x" * 8191 + "é".encode() + b"x", PLAIN),
        ("unknown", PNG, "application/octet-stream"),
        ("latin", b"x" * 100 + b"\xe9" + b"x" * 9000, "application/octet-stream"),
        ("a.png", PNG, "image/png"),
        ("a.pdf", b"%PDF-1.4", "application/pdf"),
        ("a.tar.gz", b"\x1f\x8b", "application/octet-stream"),
        ("a.html.gz", b"\x1f\x8b", "application/octet-stream"),
    ],
)
async def test_bytes_are_kept_and_no_text_format_can_run_in_a_browser(
    api: Api, folder: Path, name: str, content: bytes, media_type: str
) -> None:
    (folder / name).write_bytes(content)
    answer = await api.get(f"{ARTIFACTS}/{name}")
    assert (answer.body, answer.headers["content-type"]) == (content, media_type)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["nope.txt", "a", "a/", "a/nope", ".", "report.md/x", "x" * 300, "%FF"])
async def test_a_path_that_is_not_a_file_is_not_found(api: Api, folder: Path, path: str) -> None:
    answer = await api.get(f"{ARTIFACTS}/{path}")
    assert (answer.status, answer.json) == (404, {"error": "Artifact not found"})


@pytest.mark.parametrize(
    "path",
    ["../views.db", "..%2Fviews.db", "a%2F..%2F..%2Fviews.db", "%2Fetc%2Fpasswd", "..", "out", "folder/x"],
)
async def test_a_path_out_of_the_folder_is_denied(api: Api, folder: Path, tmp_path: Path, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_text("secret", encoding="utf-8")
    (folder / "out").symlink_to(outside / "x")
    (folder / "folder").symlink_to(outside)
    answer = await api.get(f"{ARTIFACTS}/{path}")
    assert (answer.status, answer.json) == (403, {"error": "Access denied"})
    listed = (await api.get(f"{ARTIFACTS}?recursive=true")).json
    assert listed == ["a/b/two words.txt", "a/one.txt", "report.md"]


@pytest.mark.parametrize("replaced", ["a", "a/one.txt"])
async def test_nothing_outside_is_sent_if_a_link_takes_a_place_after_it_was_checked(
    api: Api, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: str
) -> None:
    (tmp_path / "outside" / "a").mkdir(parents=True)
    (tmp_path / "outside" / "a" / "one.txt").write_text("secret", encoding="utf-8")
    locate = ConfinedFolder.locate

    def overtaken(confined: ConfinedFolder, path: str) -> Path:
        located = locate(confined, path)
        (folder / replaced).rename(folder / "aside")
        (folder / replaced).symlink_to(tmp_path / "outside" / replaced)
        return located

    monkeypatch.setattr(ConfinedFolder, "locate", overtaken)
    assert (await api.get(f"{ARTIFACTS}/a/one.txt")).status == 404


async def test_a_directory_that_a_link_replaces_while_files_are_listed_is_left_out(
    api: Api, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("x", encoding="utf-8")
    directory = ConfinedFolder.directory

    def overtaken(confined: ConfinedFolder, located: Path) -> AbstractContextManager[int]:
        if located.name == "a":
            (folder / "a").rename(tmp_path / "aside")
            (folder / "a").symlink_to(tmp_path / "outside")
        return directory(confined, located)

    monkeypatch.setattr(ConfinedFolder, "directory", overtaken)
    assert (await api.get(f"{ARTIFACTS}?recursive=true")).json == ["report.md"]


async def test_a_folder_that_is_itself_a_link_is_served(api: Api, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere"
    real.mkdir()
    (real / "x.txt").write_text("x", encoding="utf-8")
    api.gateway.settings.artifacts_dir.symlink_to(real)
    assert (await api.get(ARTIFACTS)).json == ["x.txt"]
    assert (await api.get(f"{ARTIFACTS}/x.txt")).body == b"x"


async def test_neither_a_link_to_itself_nor_a_pipe_is_a_file(api: Api, folder: Path) -> None:
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe")
    for name in ("loop", "pipe"):
        assert (await api.get(f"{ARTIFACTS}/{name}")).status == 404
    assert (await api.get(ARTIFACTS)).json == ["report.md"]


async def test_a_large_file_comes_whole(api: Api, folder: Path) -> None:
    content = os.urandom(3 * 1024 * 1024)
    (folder / "large.bin").write_bytes(content)
    assert (await api.get(f"{ARTIFACTS}/large.bin")).body == content


async def test_a_nul_in_a_name_is_refused(api: Api, folder: Path) -> None:
    assert (await api.get(f"{ARTIFACTS}/report.md%00.png")).status == 400


async def test_a_name_with_an_end_of_line_in_it_is_not_found(api: Api) -> None:
    broken = await api.get(f"{ARTIFACTS}/a%0Ab")
    assert (broken.status, broken.json) == (404, {"error": "Artifact not found"})


async def test_a_name_that_is_not_utf_8_is_listed_and_can_be_fetched(api: Api, folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_text("one", encoding="utf-8")
    assert (await api.get(ARTIFACTS)).json == ["caf\ufffd.txt", "report.md"]
    assert (await api.get(f"{ARTIFACTS}/caf%EF%BF%BD.txt")).body == b"one"

    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe8.txt")).write_text("two", encoding="utf-8")
    several = await api.get(f"{ARTIFACTS}/caf%EF%BF%BD.txt")
    assert several.status == 409
    assert several.json["error"].startswith("2 files")
    assert (await api.get(f"{ARTIFACTS}/no%EF%BF%BDne")).status == 404


@pytest.fixture
def short_stack() -> Iterator[int]:
    """How deep calls may be for the time of a test. Deeper folders take quadratically longer."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    yield 400
    sys.setrecursionlimit(usual)


async def test_folders_in_each_other_are_listed_however_deep(
    api: Api, folder: Path, short_stack: int
) -> None:
    made = [folder]
    for _ in range(short_stack):
        made.append(made[-1] / "d")
        made[-1].mkdir()
    (made[-1] / "x").touch()
    try:
        assert f"{'d/' * short_stack}x" in (await api.get(f"{ARTIFACTS}?recursive=true")).json
    finally:
        (made[-1] / "x").unlink()
        for one in reversed(made[1:]):
            one.rmdir()
