"""`async-agent nats-config`: users for a NATS of one's own."""

from __future__ import annotations

from pathlib import Path

from contracts.runtime.nats.address import public
from contracts.runtime.permissions import OPERATOR, READER, USERS
from deploy.local.nats_config import authorization
from deploy.local.nats_users import kept_passwords, url_for, write_private
from deploy.terminal import Terminal

CONFIG = "authorization.conf"
FOR = {
    OPERATOR: "the commands `views`, `parked`, `log` and `keys`, and `async-agent up`",
    READER: "programs that follow the log",
}


def write_users(directory: Path, addresses: str, console: Terminal) -> None:
    """Write the users and their permissions for nats-server, and one file of settings for each user.

    Only the current user can read the files. Passwords that `directory` has are kept.

    Raises:
        Unreachable: `addresses` are not those of servers.
        PasswordsUnreadable: the file with the passwords is damaged.
    """
    servers = public(addresses).split(", ")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    passwords = kept_passwords(directory)
    write_private(directory / CONFIG, authorization(passwords))
    for user in USERS:
        urls = ",".join(url_for(user, passwords, server) for server in servers)
        write_private(directory / f"{user}.env", f"NATS_URL={urls}\n")
    uses = {user: FOR.get(user, f"`async-agent run {user}`") for user in USERS}
    for line in (
        f"{directory / CONFIG}: for every NATS server, as `include {CONFIG}` in its configuration",
        *(f"{directory / user}.env: for {use}" for user, use in uses.items()),
        "Run this again after an upgrade: it keeps the passwords and writes the new permissions.",
    ):
        console.print(line, soft_wrap=True)
