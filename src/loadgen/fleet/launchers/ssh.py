"""`ssh:host1,user@host2:2222`: agents on hosts that the system's ssh logs in to. The connection is the authentication.

The user's own settings hold (~/.ssh/config): names of hosts, keys, jump hosts. ssh asks for nothing: a password or a
host key that needs a person is an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Self

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.fleet.channel import Channel
from loadgen.fleet.launchers.asked import Asked
from loadgen.fleet.launchers.child import Child, ended
from loadgen.fleet.launchers.ssh_ending import Login, words_of

OPTIONS = (
    "-T",  # no terminal: the bytes pass unchanged
    "-a",
    "-x",
    *("-o", "BatchMode=yes"),
    *("-o", "ClearAllForwardings=yes"),
    *("-o", "ConnectTimeout=10"),
    # A cut between two hosts ends ssh by itself, also where the leader is stopped.
    *("-o", "ServerAliveInterval=2"),
    *("-o", "ServerAliveCountMax=3"),
    # Without a banner and warnings, the last line on stderr is why ssh ended.
    *("-o", "LogLevel=ERROR"),
    # By default, ssh without a terminal marks its packets as bulk data; the messages of a load are few and urgent.
    *("-o", "IPQoS=af21"),
)


@dataclass(frozen=True, slots=True)
class Ssh:
    """Agents that are launched by ssh, one for each host."""

    logins: tuple[Login, ...]
    remote_command: str
    """What the shell of a host is given to run loadgen; arguments follow."""

    @classmethod
    def of(cls, rest: str, asked: Asked) -> Self:
        """Return the launcher for the words behind `ssh:`. Raises UsageError."""
        if not rest:
            raise UsageError("--on ssh: names no host; write the hosts after it, such as --on ssh:host1,user@host2.")
        return cls(tuple(login_of(word.strip()) for word in rest.split(",")), asked.remote_command)

    @property
    def words(self) -> str:
        return f"ssh:{','.join(map(str, self.logins))}"

    def launch(self, run: str) -> AbstractContextManager[Sequence[Channel]]:
        """Start ssh to every host. Raises WorkerError when ssh cannot be started; what a host says is its ending."""
        return ended(
            Child(
                str(login),
                self.argv(login),
                "is ssh there, from the package openssh-client?",
                explain=words_of(login, self.remote_command),
                keeps_words=True,
            )
            for login in self.logins
        )

    def argv(self, login: Login) -> list[str]:
        """Return the arguments of ssh, which are no secret."""
        port = ["-p", str(login.port)] if login.port else []
        user = ["-l", login.user] if login.user else []
        return ["ssh", *OPTIONS, *port, *user, "--", login.host, f"{self.remote_command} agent"]


def login_of(word: str) -> Login:
    user, _, place = word.rpartition("@")
    if ":" in user:
        raise UsageError(
            "--on ssh:… has a password before an @, and ssh takes none from a command line; log in by a key "
            "(ssh-copy-id), and write user@host."
        )
    # [host]:port as ssh itself prints it, also for a name; a bare IPv6 address has no port.
    match = re.fullmatch(r"\[([^\[\]]+)\](?::(\d{1,5}))?|([^:\[\]]+)(?::(\d{1,5}))?", place)
    if match is None and re.fullmatch(r"[0-9A-Fa-f:.]+(%\w+)?", place) and place.count(":") > 1:
        return Login(user, place, 0)
    host = (match[1] or match[3]) if match else ""
    # A name that begins with a dash would be an option of ssh.
    if match is None or not re.fullmatch(r"(?!-)[\w.:%-]+", host) or not re.fullmatch(r"((?!-)[\w.\\$+-]+)?", user):
        raise UsageError(
            f'"{printable(word, 80)}" is no host for ssh; write host, user@host or user@host:port, as in '
            "--on ssh:host1,user@host2:2222."
        )
    port = int(match[2] or match[4] or 0)
    if port > 65535 or (match[2] or match[4]) in ("0", "00"):
        raise UsageError(f'"{printable(word, 80)}" has port {port}, and ports are 1 to 65535.')
    return Login(user, host, port)
