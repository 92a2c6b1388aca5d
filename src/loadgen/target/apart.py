"""Surroundings as a task of a keeper: the commands, control groups and user that they take.

This file knows `ip`, `mount` and the paths of control groups. The keeper carries everything out.
"""

from __future__ import annotations

import ipaddress
import os
import pwd
import random
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from loadgen.errors import LoadgenError
from loadgen.surroundings import Surroundings
from loadgen.target.keeper_process import Apart

PREFIX = "lg-"
"""The beginning of the names of interfaces, control groups and mounts that a keeper makes; its pid follows."""

INTERFACE = "lg-0"
"""The server's end of the veth pair, in its network namespace."""

# RFC 2544 reserves these addresses for benchmarks: no host of the Internet has one.
_BENCHMARKS = ipaddress.ip_network("198.18.0.0/15")
_PAIR_BITS = 2

# A packet is one segment, as on a wire: otherwise the kernel passes up to 64 KiB through a veth as one packet, and the
# loss of a packet would be that of dozens.
_ONE_SEGMENT = "gso_max_segs 1"

_CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "memory")
_ADMIN_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


# The bits of permissions, of chmod(1).
_READ, _WRITE, _EXECUTE = 4, 2, 1


class ApartError(LoadgenError):
    """The surroundings of a server cannot be made here, in a sentence."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The two addresses of a veth pair, and the length of their common prefix."""

    host: str
    server: str
    prefix: int = 32 - _PAIR_BITS


def free_pair() -> Pair:
    """Return addresses of 198.18.0.0/15 that no interface of this host uses. Raises ApartError."""
    taken = {address.address for found in psutil.net_if_addrs().values() for address in found if "." in address.address}
    nets = _BENCHMARKS.num_addresses >> _PAIR_BITS
    for _ in range(1000):
        # Drawn by the system: loadgens that start together must not draw the same.
        first = _BENCHMARKS[random.SystemRandom().randrange(nets) << _PAIR_BITS]
        pair = Pair(str(first + 1), str(first + 2))
        if pair.host not in taken:
            return pair
    raise ApartError(f"No addresses of {_BENCHMARKS} are free: remove the interfaces that have them.")


def tool(name: str) -> str:
    """Return the path of a system command, which need not be in the user's PATH; a path stays. Raises ApartError."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_ADMIN_PATH}")
    if path is None:
        raise ApartError(f"The command {name} is not installed.")
    return path


def task_of(
    surroundings: Surroundings, pair: Pair | None, data: str, notes: str, command: Sequence[str], cwd: str
) -> Apart | None:
    """Return the surroundings as a keeper's task; None when the server shares everything with loadgen.

    `data` is the server's folder and `notes` the file of its library's notes; the server is started by `command`, in
    `cwd` if that is not empty. Raises ApartError.
    """
    if not surroundings.apart:
        return None
    if sys.platform != "linux" or os.geteuid() != 0:
        raise ApartError("A server with a network, disk or control group of its own takes Linux and root.")
    links = _linking(pair, routed=surroundings.routed) if pair is not None else []
    commands = [*_mounting(surroundings, data), *links]
    return Apart(
        net=surroundings.netns,
        mount=surroundings.tmpfs_bytes > 0,
        commands=tuple(commands),
        cgroups=tuple(f"{folder}/{PREFIX}{{keeper}}" for folder in cgroup_parents()) if surroundings.cgroup else (),
        shared=(notes,) if surroundings.preload else (),
        user=identity(surroundings.user, data, command, cwd) if surroundings.user else None,
    )


def _mounting(surroundings: Surroundings, data: str) -> list[tuple[tuple[str, ...], str]]:
    if not surroundings.tmpfs_bytes:
        return []
    mount, options = tool("mount"), f"size={surroundings.tmpfs_bytes},mode=755"
    return [
        # Without this, the host would see the mount.
        ((mount, "--make-rprivate", "/"), ""),
        ((mount, "-t", "tmpfs", "-o", options, f"{PREFIX}{{keeper}}", data), ""),
    ]


def _linking(pair: Pair, *, routed: bool) -> list[tuple[tuple[str, ...], str]]:
    ip, outside = tool("ip"), f"{PREFIX}{{keeper}}"
    inner = (
        "link set lo up\n"
        f"link add {INTERFACE} type veth peer name {outside} netns {{loadgen}}\n"
        f"addr add {pair.server}/{pair.prefix} dev {INTERFACE}\n"
        f"link set {INTERFACE} {_ONE_SEGMENT} up\n"
    )
    outer = f"addr add {pair.host}/{pair.prefix} dev {outside}\nlink set {outside} {_ONE_SEGMENT} up\n"
    on_the_host = (tool("nsenter"), "--net=/proc/{loadgen}/ns/net")
    linked: list[tuple[tuple[str, ...], str]] = [
        ((ip, "-batch", "-"), inner),
        ((*on_the_host, ip, "-batch", "-"), outer),
    ]
    if not routed:
        return linked
    # The kernel forwards what comes in by this interface, and leaves those of the host as they are.
    forwarding = f"/proc/sys/net/ipv4/conf/{outside}/forwarding"
    others = ("route", "add", str(_BENCHMARKS), "via", pair.host, "dev", INTERFACE)
    return [*linked, ((*on_the_host, tool("tee"), forwarding), "1"), ((ip, *others), "")]


def cgroup_parents() -> list[Path]:
    """Return the folders in which control groups with the controllers can be made: one of version 2, or one for each
    controller of version 1. Raises ApartError."""
    controllers = _read(_CGROUPS / "cgroup.subtree_control").split()
    if all(name in controllers for name in CONTROLLERS):
        return [_CGROUPS]
    own = {
        name: path
        for line in _read(Path("/proc/self/cgroup")).splitlines()
        for names, path in [line.split(":", 2)[1:]]
        for name in names.split(",")
    }
    found = []
    for name in CONTROLLERS:
        folder = _CGROUPS / name / own.get(name, "/").lstrip("/")
        # A container may see its hierarchy from its own group on.
        folder = folder if folder.is_dir() else _CGROUPS / name
        if not (folder / "cgroup.procs").exists():
            raise ApartError(f"The control group controller {name} is not in {_CGROUPS}: mount it there.")
        found.append(folder)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def identity(user: str, data: str, command: Sequence[str], cwd: str = "") -> tuple[int, int] | None:
    """Return the ids of a user; None when a server of that user could not work.

    The user must be able to enter what `data` is in, to execute the command's program, to read the files that the
    command names, and to write into `cwd`, if that is not empty.
    """
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        return None
    named = [Path(word).resolve() for word in command[1:] if word.startswith("/") and Path(word).exists()]
    wanted = [(Path(command[0]).resolve(), _EXECUTE), *((path, _READ) for path in named)]
    wanted += [(Path(cwd), _WRITE | _EXECUTE)] if cwd else []
    entered = [*Path(data).parent.parents, *(parent for path, _ in wanted for parent in path.parents)]
    if all(_allows(path, bits, found.pw_uid) for path, bits in [*wanted, *((path, _EXECUTE) for path in entered)]):
        return found.pw_uid, found.pw_gid
    return None


def _allows(path: Path, bits: int, uid: int) -> bool:
    """True when the permissions allow that to a user, as the owner or as anyone; groups are left out."""
    status = path.stat()
    return (status.st_mode >> (6 if status.st_uid == uid else 0)) & bits == bits
