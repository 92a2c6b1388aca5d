"""Certificates in PEM, made by the `openssl` command in some milliseconds each."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONF = """
[ca]
default_ca = all
[all]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""

ALWAYS = ("20200101000000Z", "20991231000000Z")
EXPIRED = ("20200101000000Z", "20210101000000Z")
NOT_YET = ("20980101000000Z", "20991231000000Z")


@dataclass(frozen=True)
class Certified:
    """A certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """An authority of our own, in a folder that it fills."""

    def __init__(self, folder: Path, name: str = "loadgen test authority") -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ca.conf").write_text(_CONF)
        (folder / "index").touch()
        (folder / "serial").write_text("01\n")
        self.certificate, self._key = folder / "ca.pem", folder / "ca.key"
        self._openssl("req", "-x509", *_NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "9000",
                      "-subj", f"/CN={name}")  # fmt: skip

    def sign(
        self, name: str, *others: str, valid: tuple[str, str] = ALWAYS, password: str = "", as_file: str = ""
    ) -> Certified:
        """Return a certificate for a name and others, such as `DNS:localhost` and `IP:127.0.0.1`."""
        file = as_file or name
        words = ["-passout", f"pass:{password}"] if password else ["-nodes"]
        names = ["-addext", f"subjectAltName={','.join(others)}"] if others else []
        self._openssl("req", *_KEY, *words, "-keyout", f"{file}.key", "-out", f"{file}.csr", "-subj", f"/CN={name}",
                      *names)  # fmt: skip
        self._openssl("ca", "-config", "ca.conf", "-batch", "-notext", "-cert", "ca.pem", "-keyfile", "ca.key",
                      "-in", f"{file}.csr", "-out", f"{file}.pem", "-startdate", valid[0],
                      "-enddate", valid[1])  # fmt: skip
        # A server that has given up root reads it, too.
        (self._folder / f"{file}.key").chmod(0o644)
        return Certified(self._folder / f"{file}.pem", self._folder / f"{file}.key")

    def _openssl(self, *words: str) -> None:
        ran = subprocess.run(["openssl", *words], cwd=self._folder, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
_NEW_KEY = (*_KEY, "-nodes")
