"""writeFile and readFile on a real folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.core.event import Json
from contracts.core.outcome import Reject
from contracts.runtime.confined_folder import ConfinedFolder
from executor.tools.artifacts import Artifacts
from executor.tools.read_file import read_file
from executor.tools.tool import CallContext
from executor.tools.write_file import write_file

CALL = CallContext("run/001")
OUTSIDE = "^Invalid path: must be within artifacts directory; name a file by its path relative to that"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The artifacts folder."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    return folder


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def write(root: Path, **params: Json) -> Json:
    return await write_file(Artifacts(root)).invoke(params, CALL)


async def read(root: Path, **params: Json) -> Json:
    return await read_file(Artifacts(root)).invoke(params, CALL)


async def test_the_folder_is_made_when_it_is_first_written_to(root: Path) -> None:
    await write(root / "new", path="a.txt", content="x")
    assert (root / "new/a.txt").read_text() == "x"


async def test_writing_makes_folders_and_says_what_it_wrote(root: Path) -> None:
    written = await write(root, path="a/b/c.md", content="Zürich")
    assert written == {
        "path": "a/b/c.md",
        "fullPath": str(root / "a/b/c.md"),
        "bytesWritten": 7,
        "mode": "overwrite",
    }
    assert (root / "a/b/c.md").read_text(encoding="utf-8") == "Zürich"


async def test_overwriting_replaces_the_file_and_leaves_nothing_behind(root: Path) -> None:
    await write(root, path="a.txt", content="a long first text")
    await write(root, path="a.txt", content="short")
    assert (root / "a.txt").read_text() == "short"
    assert names_in(root) == ["a.txt"]


async def test_a_reader_that_has_the_file_open_keeps_the_old_text(root: Path) -> None:
    """The file is replaced, never written over."""
    await write(root, path="a.txt", content="old")
    with (root / "a.txt").open() as file:
        await write(root, path="a.txt", content="new")
        assert file.read() == "old"


async def test_a_written_file_may_be_read_by_whoever_the_umask_lets(root: Path) -> None:
    await write(root, path="a.txt", content="x")
    (root / "plain").write_text("x")
    assert (root / "a.txt").stat().st_mode == (root / "plain").stat().st_mode


async def test_appending_adds_to_the_end_and_counts_only_its_own_bytes(root: Path) -> None:
    await write(root, path="a.txt", content="one\n", mode="append")
    written = await write(root, path="a.txt", content="two\n", mode="append")
    assert written["bytesWritten"] == 4
    assert (root / "a.txt").read_text() == "one\ntwo\n"


async def test_line_ends_are_kept(root: Path) -> None:
    await write(root, path="a.txt", content="one\r\ntwo\n")
    assert (await read(root, path="a.txt"))["content"] == "one\r\ntwo\n"


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "../artifacts-x/a", "..", "a/../.."])
async def test_no_path_leads_outside(root: Path, path: str) -> None:
    """Also not into a sibling whose name begins like the folder's."""
    (root.parent / "artifacts-x").mkdir()
    with pytest.raises(Reject, match=OUTSIDE):
        await write(root, path=path, content="x")
    with pytest.raises(Reject, match=OUTSIDE):
        await read(root, path=path)
    assert names_in(root.parent / "artifacts-x") == []


@pytest.mark.parametrize("link", [lambda target: target, lambda target: target / "secret.txt"])
async def test_no_symbolic_link_leads_outside(root: Path, link: Callable[[Path], Path]) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (root / "link").symlink_to(link(outside))
    path = "link/secret.txt" if (root / "link").is_dir() else "link"
    with pytest.raises(Reject, match=OUTSIDE):
        await read(root, path=path)
    with pytest.raises(Reject, match=OUTSIDE):
        await write(root, path=path, content="x")
    assert (outside / "secret.txt").read_text() == "secret"


@pytest.mark.parametrize("replaced", ["folder", "folder/inner", "folder/inner/a.txt"])
@pytest.mark.parametrize("mode", ["read", "overwrite", "append"])
async def test_nothing_outside_is_opened_if_a_link_takes_a_place_after_it_was_checked(
    root: Path, monkeypatch: pytest.MonkeyPatch, mode: str, replaced: str
) -> None:
    outside = root.parent / "outside"
    for parent in (root / "folder/inner", outside / "folder/inner"):
        parent.mkdir(parents=True)
        (parent / "a.txt").write_text("secret" if parent.is_relative_to(outside) else "text")
    locate = ConfinedFolder.locate

    def overtaken(folder: ConfinedFolder, path: str) -> Path:
        located = locate(folder, path)
        (root / replaced).rename(root / "aside")
        (root / replaced).symlink_to(outside / replaced)
        return located

    monkeypatch.setattr(ConfinedFolder, "locate", overtaken)
    path = "folder/inner/a.txt"
    with contextlib.suppress(Reject):
        if mode == "read":
            assert "secret" not in (await read(root, path=path))["content"]
        else:
            await write(root, path=path, content="x", mode=mode)
    assert (outside / path).read_text() == "secret"
    assert names_in(outside / "folder/inner") == ["a.txt"]


async def test_a_symbolic_link_within_the_folder_is_followed(root: Path) -> None:
    await write(root, path="a.txt", content="text")
    (root / "link").symlink_to("a.txt")
    assert (await read(root, path="link"))["content"] == "text"


async def test_the_folder_itself_may_be_a_symbolic_link(root: Path) -> None:
    alias = root.parent / "alias"
    (root.parent / "alias").symlink_to(root)
    await write(alias, path="a.txt", content="x")
    assert (root / "a.txt").read_text() == "x"
    assert (await read(alias, path="a.txt"))["content"] == "x"


async def test_the_full_path_of_a_file_names_it_too(root: Path) -> None:
    written = await write(root, path="a.txt", content="text")
    assert (await read(root, path=written["fullPath"]))["content"] == "text"


@pytest.mark.parametrize(
    "path", ["", " ", "a\x00b", "x" * 300, "a/" * 3000, ".", "folder", "folder/", "pipe", "a.txt/b"]
)
async def test_an_invalid_path_is_rejected(root: Path, path: str) -> None:
    (root / "folder").mkdir()
    (root / "a.txt").write_text("x")
    os.mkfifo(root / "pipe")
    with pytest.raises(Reject):
        await write(root, path=path, content="x")
    with pytest.raises(Reject):
        await read(root, path=path)


async def test_links_in_a_circle_are_rejected(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with pytest.raises(Reject):
        await read(root, path="a")


async def test_a_file_that_is_not_there_is_rejected(root: Path) -> None:
    with pytest.raises(Reject, match=r"File not found: a\.txt"):
        await read(root, path="a.txt")


@pytest.mark.parametrize(
    ("length", "content", "truncated"),
    [(3, "äöü", True), (4, "äöü€", False), (5, "äöü€", False), (1, "ä", True)],
)
async def test_text_is_cut_by_characters_not_bytes(
    root: Path, length: int, content: str, truncated: bool
) -> None:
    await write(root, path="a.txt", content="äöü€")
    assert await read(root, path="a.txt", maxLength=length) == {
        "path": "a.txt",
        "content": content,
        "size": 9,
        "truncated": truncated,
        "encoding": "utf-8",
    }


async def test_a_cut_never_splits_a_character(root: Path) -> None:
    await write(root, path="a.txt", content="€" * 100_000)
    found = await read(root, path="a.txt", maxLength=50)
    assert (found["content"], found["size"], found["truncated"]) == ("€" * 50, 300_000, True)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"%PDF-1.4 all of it ascii", "application/pdf"),
        (b"PK\x03\x04\x14\0\0\0", "application/zip"),
        (b"a\xff\x00b", "application/octet-stream"),
    ],
)
async def test_a_file_that_is_not_text_is_refused_with_what_it_is(
    root: Path, data: bytes, found: str
) -> None:
    (root / "a.txt").write_bytes(data)
    with pytest.raises(Reject, match=f"a.txt is not a text file: it is {found}"):
        await read(root, path="a.txt")


@pytest.mark.parametrize(
    ("written", "encoding"),
    [
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16le"),
        ("latin-1", "windows-1252"),
    ],
)
async def test_a_csv_file_is_read_in_its_own_encoding(root: Path, written: str, encoding: str) -> None:
    text = "Name;Ort\nMüller;Düsseldorf\nGärtner;Köln\n"
    (root / "a.csv").write_bytes(text.encode(written))
    found = await read(root, path="a.csv")
    assert (found["content"], found["encoding"]) == (text, encoding)


async def test_a_file_that_is_cut_within_a_character_is_utf8_still(root: Path) -> None:
    (root / "a.txt").write_bytes(("a" + "€" * 100).encode())
    found = await read(root, path="a.txt", maxLength=2)
    assert (found["content"], found["encoding"]) == ("a€", "utf-8")
