"""Two machines beside this one: network namespaces, each joined to the host by a link of its own.

The host is 198.19.N.1 on the link of namespace N, and the namespace 198.19.N.2 (addresses of RFC 2544, for tests).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PREFIX = "198.19"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def needs() -> None:
    """Skip the test where namespaces cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if shutil.which("ip") is None:
        pytest.skip("ip (iproute2) is not installed")


@contextmanager
def machines(count: int) -> Iterator[list[tuple[str, str, str]]]:
    """Make the namespaces. Yield, of each, its name, the host's address on its link, and its own address."""
    needs()
    made: list[tuple[str, str, str]] = []
    base = os.getpid() % 120 * 2
    with contextlib.ExitStack() as stack:
        for number in range(count):
            # A name has the process id of the test that made it, and an address its last digits.
            name, link, subnet = f"lg-{os.getpid()}-{number}", f"lg{os.getpid()}v{number}", f"{PREFIX}.{base + number}"
            try:
                _ip("netns", "add", name)
            except subprocess.CalledProcessError as refused:
                pytest.skip(f"network namespaces cannot be made ({refused.stderr.decode().strip()})")
            stack.callback(_ip, "netns", "del", name)
            _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
            # With its namespace alone the link would go later, and keep its name from the next test until then.
            stack.callback(_ip, "link", "del", link)
            _ip("addr", "add", f"{subnet}.1/30", "dev", link)
            _ip("link", "set", link, "up")
            _ip("-n", name, "addr", "add", f"{subnet}.2/30", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "route", "add", "default", "via", f"{subnet}.1")
            made.append((name, f"{subnet}.1", f"{subnet}.2"))
        yield made
