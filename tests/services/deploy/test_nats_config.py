"""Users for a NATS of one's own."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from contracts.runtime.nats.address import Unreachable
from contracts.runtime.nats.connection import connect
from contracts.runtime.nats.replies import Denied
from contracts.runtime.permissions import USERS
from contracts.runtime.topology import ensure_topology
from deploy.cli.operator.nats_config import CONFIG, write_users
from deploy.local.nats_server import NatsServer, running
from deploy.terminal import Terminal


class OwnServer(NatsServer):
    """A server whose users are those of a file."""

    def _configuration(self) -> str:
        ours = super()._configuration()
        return ours[: ours.index("authorization {")] + f"include {CONFIG}\n"


def url_in(directory: Path, user: str) -> str:
    return (directory / f"{user}.env").read_text().removeprefix("NATS_URL=").strip()


def console() -> Terminal:
    return Terminal(file=io.StringIO(), width=200)


@pytest.mark.nats
async def test_a_server_with_the_written_file_lets_each_service_do_its_work_and_no_more(
    tmp_path: Path,
) -> None:
    written, told = tmp_path / "written", console()
    write_users(written, "127.0.0.1:1", told)
    server = OwnServer(tmp_path / "nats")
    server.directory.mkdir()
    shutil.copy(written / CONFIG, server.directory)
    async with running(server):
        write_users(written, f"127.0.0.1:{server.port}", console())
        async with connect(url_in(written, "executor"), name="executor/test") as executor:
            await ensure_topology(executor)
            with pytest.raises(Denied):
                await executor.request("evt.goal.a.active", b"forged")
            with pytest.raises(Denied):
                await executor.api("STREAM.DELETE.LOG")
        async with connect(url_in(written, "operator"), name="operator/test") as operator:
            await operator.api("STREAM.DELETE.LOG")
    said = told.file.getvalue()  # type: ignore[attr-defined]
    assert all(f"{user}.env" in said for user in USERS)


def test_the_files_are_private_and_a_second_call_keeps_the_passwords(tmp_path: Path) -> None:
    write_users(tmp_path / "new", "a.example:4222,b.example:4223", console())
    urls = url_in(tmp_path / "new", "reader")
    assert [url.partition("@")[2] for url in urls.split(",")] == ["a.example:4222", "b.example:4223"]
    assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "new").iterdir())
    configuration = (tmp_path / "new" / CONFIG).read_text()
    assert urls.partition("@")[0].rpartition(":")[2] not in configuration
    write_users(tmp_path / "new", "a.example:4222,b.example:4223", console())
    assert url_in(tmp_path / "new", "reader") == urls


def test_an_invalid_address_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        write_users(tmp_path / "new", "http://[::1", console())
    assert not (tmp_path / "new").exists()
