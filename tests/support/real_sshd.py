"""A real sshd on a free port of loopback, with throw-away keys, and an `ssh` that knows only these."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from real_servers import free_port

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
MISSING = next((p for p in ("ssh", "ssh-keygen") if shutil.which(p) is None), "" if SSHD else "sshd")
HAS_SSHD = pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} is not installed")


@dataclass(frozen=True)
class Sshd:
    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def path(self) -> str:
        """A PATH on which `ssh` is the real one with these keys, known hosts and no settings of the machine's user."""
        return f"{self.folder}{os.pathsep}{os.environ['PATH']}"

    def forget_host(self) -> None:
        (self.folder / "known_hosts").write_text("")

    def know_another_key(self) -> None:
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public(self.folder / 'login')}\n")

    def know_host(self) -> None:
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public(self.folder / 'host')}\n")

    def let_in(self, allowed: bool) -> None:
        (self.folder / "authorized").write_text(f"{public(self.folder / 'login')}\n" if allowed else "")


def public(key: Path) -> str:
    return " ".join(key.with_suffix(".pub").read_text().split()[:2])


@contextmanager
def sshd() -> Iterator[Sshd]:
    with tempfile.TemporaryDirectory(prefix="loadgen-sshd-") as name:
        folder = Path(name)
        for key in ("host", "login"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
        client = folder / "client"
        client.write_text(
            f"IdentityFile {folder}/login\nIdentitiesOnly yes\nIdentityAgent none\n"
            f"UserKnownHostsFile {folder}/known_hosts\nGlobalKnownHostsFile none\n"
        )
        real = shutil.which("ssh")
        (folder / "ssh").write_text(f'#!/bin/sh\nexec {real} -F {shlex.quote(str(client))} "$@"\n')
        (folder / "ssh").chmod(0o755)
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        port = free_port()
        settings = {
            "ListenAddress": f"127.0.0.1:{port}",
            "HostKey": folder / "host",
            "AuthorizedKeysFile": folder / "authorized",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "yes",
            "StrictModes": "no",
            "UsePAM": "no",
            "PidFile": "none",
        }
        (folder / "server").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([SSHD or "sshd", "-D", "-e", "-f", folder / "server"], stderr=log)
        try:
            up = Sshd(port, folder, process)
            up.know_host()
            up.let_in(True)
            wait_for(up)
            yield up
        finally:
            process.terminate()
            process.wait()


def wait_for(up: Sshd) -> None:
    while True:
        assert up.process.poll() is None, (up.folder / "log").read_text()
        try:
            with socket.create_connection(("127.0.0.1", up.port), timeout=5) as probe:
                assert probe.recv(4) == b"SSH-"
                return
        except ConnectionRefusedError:
            pass
