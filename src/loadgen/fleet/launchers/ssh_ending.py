"""How ssh ended, as one sentence: what OpenSSH and the far shell say, with the remedy. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from loadgen.escape import printable
from loadgen.fleet.launchers import child

SSH_FAILED = 255
NOT_EXECUTABLE, NOT_FOUND = 126, 127


@dataclass(frozen=True, slots=True)
class Login:
    """Where ssh logs in."""

    user: str
    """Empty where ssh's own settings say it."""
    host: str
    port: int
    """0 where ssh's own settings say it."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{f'{self.user}@' if self.user else ''}{host}{f':{self.port}' if self.port else ''}"

    @property
    def by_hand(self) -> str:
        """The command by which a person logs in."""
        return f"ssh {f'-p {self.port} ' if self.port else ''}{f'{self.user}@' if self.user else ''}{self.host}"


# The first pattern that is found says what happened: ssh explains first and gives up with a general line.
# `{}` is the login, `{by_hand}` the command that logs in there, `{0}` the pattern's first group.
SENTENCES = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|[Hh]ost key .*has changed|Host key for .* has changed",
        "has another host key than the one known here: make sure that this is the right machine, then remove the old "
        "key (ssh-keygen -R {known}) and log in once by hand ({by_hand})",
    ),
    (
        r"Host key verification failed|No .*host key is known",
        "has a host key that is not known here: log in once by hand ({by_hand}) and accept the key",
    ),
    (
        r"UNPROTECTED PRIVATE KEY FILE",
        "was not logged in to: others may read the private key here, and ssh does not use such a key (chmod 600)",
    ),
    (
        r"Permission denied \(([\w,.@-]+)\)|Too many authentication failures|No more authentication methods",
        "refused the login: loadgen is asked for no password, so put a key there (ssh-copy-id) or load it (ssh-add), "
        "until {by_hand} logs in without a question",
    ),
    (
        r"Could not resolve hostname",
        "was not found: no address is known for the name {host}",
    ),
    (
        r"connect to .* port (\d+): Connection refused",
        "was not reached: nothing listens on port {0} there; start sshd, or name its port, as in host:2222",
    ),
    (
        r"connect to .* port \d+: (.*)|(?:banner exchange|Connection to).*(timed out)",
        "was not reached by ssh ({0}): try {by_hand}",
    ),
    (
        r"Timeout, server .* not responding",
        "no longer answers: its connection of ssh timed out",
    ),
    (
        r"Connection (?:closed|reset)|closed by remote host|Broken pipe",
        "closed the connection of ssh ({line})",
    ),
    (
        r"Bad configuration option|command-line line|terminating, \d+ bad configuration",
        "was not reached: ssh here refuses its settings ({line}); OpenSSH 7.4 or later is needed",
    ),
)


def words_of(login: Login, remote_command: str) -> Callable[[int, str], str]:
    """Return what explains how ssh to this login ended: words after its name, of an exit status and stderr."""

    def explain(status: int, stderr: str) -> str:
        lines = [line.strip() for line in stderr.splitlines() if line.strip()]
        last = printable(lines[-1]) if lines else ""
        if status == SSH_FAILED:
            return of_ssh(login, stderr, last)
        if status == NOT_FOUND:
            return (
                f'has no command "{printable(remote_command)}" for a login without a terminal '
                f"({last or 'status 127'}): install loadgen there, or say where it is, as in "
                "--remote-command /opt/loadgen/bin/loadgen"
            )
        if status == NOT_EXECUTABLE:
            return f'cannot execute "{printable(remote_command)}" ({last or "status 126"}): see --remote-command'
        return child.words_of(status, stderr)

    return explain


def of_ssh(login: Login, stderr: str, last: str) -> str:
    for pattern, sentence in SENTENCES:
        if found := re.search(pattern, stderr):
            group = next((text for text in found.groups() if text), "")
            known = f'"[{login.host}]:{login.port}"' if login.port not in (0, 22) else login.host
            return sentence.format(
                printable(group.strip()), by_hand=login.by_hand, host=login.host, known=known, line=last
            )
    return f"was not reached by ssh ({last or 'ssh said nothing'}): try {login.by_hand}"
