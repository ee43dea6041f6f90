"""Artifacts by the client, from a real gateway."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.client import Client, InvalidAnswer, Refused

if TYPE_CHECKING:
    from tests.services.conftest import Api

PNG = b"\x89PNG\r\n\x1a\n\x00\xff"


@pytest.fixture
def folder(api: Api) -> Path:
    folder = api.gateway.settings.artifacts_dir
    (folder / "a b").mkdir(parents=True)
    (folder / "report.md").write_text("# Zoë", encoding="utf-8")
    (folder / "a b" / "größe?#.png").write_bytes(PNG)
    return folder


@pytest.fixture
async def client(api: Api, folder: Path) -> AsyncGenerator[Client]:
    async with Client(str(api.url)) as client:
        yield client


async def test_names_in_the_list_are_names_to_get(client: Client) -> None:
    assert await client.artifacts.find() == ["report.md"]
    nested, top = await client.artifacts.find(recursive=True)
    assert (nested, top) == ("a b/größe?#.png", "report.md")
    assert await client.artifacts.get(nested) == PNG
    assert await client.artifacts.get(top) == "# Zoë".encode()


async def test_text_is_text_and_all_else_is_not(client: Client) -> None:
    assert await client.artifacts.text("report.md") == "# Zoë"
    with pytest.raises(InvalidAnswer, match="is not text"):
        await client.artifacts.text("a b/größe?#.png")


async def test_the_media_type_of_a_file_is_returned(client: Client) -> None:
    kinds = [(await client.artifacts.content(name)).media_type for name in await client.artifacts.find()]
    assert kinds == ["text/plain"]
    assert (await client.artifacts.content("a b/größe?#.png")).media_type == "image/png"


@pytest.mark.parametrize(("name", "status"), [("nope.txt", 404), ("a b", 404), ("../views.db", 403)])
async def test_an_invalid_artifact_name_is_refused(client: Client, name: str, status: int) -> None:
    with pytest.raises(Refused) as refused:
        await client.artifacts.get(name)
    assert refused.value.status == status
