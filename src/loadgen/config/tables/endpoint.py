"""A server's address as text: `host:port`, the host being a name, an IPv4 address, or an IPv6 address in brackets."""

from __future__ import annotations

import ipaddress
import re

from loadgen.config.tables.refused import ProblemCode, Refused

# RFC 1123 labels, plus the underscore that container networks and some resolvers use.
_HOST_NAME = re.compile(r"(?=.{1,253}\.?$)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
                        r"(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?", re.ASCII)  # fmt: skip

_LONGEST_SHOWN = 80
"""The longest address in a message, in characters; the rest is cut off."""


def parse_endpoint(text: str) -> tuple[str, int]:
    """Return the host, without brackets, and the port. Raises ValueError with the mistake and the right form."""
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    if text.startswith(("/", "./", "unix:")) or text.endswith(".sock"):
        raise Refused(
            ProblemCode.NOT_SUPPORTED,
            f'"{shown}" is a Unix socket, which is not supported yet; have the server listen on TCP and write '
            'host:port, such as "127.0.0.1:6379"',
        )
    if "://" in text:
        raise ValueError(f'"{shown}" is a URL; write host:port, such as "127.0.0.1:6379"')
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or not rest.startswith(":"):
            raise ValueError(f'"{shown}" has no port after its brackets; write "[{host}]:6379"')
        port_text = rest[1:]
        if not _is_ipv6(host):
            raise ValueError(f'"{shown}" has no IPv6 address in its brackets; write one such as "[::1]:6379"')
    else:
        host, colon, port_text = text.rpartition(":")
        if ":" in host:
            raise ValueError(
                f'"{shown}" leaves open where the port begins; write an IPv6 address in brackets, as in "[::1]:6379"'
            )
        if not colon:
            raise ValueError(f'"{shown}" has no port; write host:port, such as "{shown or "127.0.0.1"}:6379"')
        if not _is_ipv4_or_name(host):
            raise ValueError(f'"{shown}" has no valid host before its port; write host:port, such as "127.0.0.1:6379"')
    if not re.fullmatch(r"[0-9]{1,9}", port_text, re.ASCII):
        raise ValueError(f'"{shown}" has no valid port; write host:port, such as "{_bracketed(host)}:6379"')
    port = int(port_text)
    if not 1 <= port <= 65535:
        raise ValueError(f'"{shown}" has port {port}, and ports are 1 to 65535')
    return host, port


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _is_ipv4_or_name(host: str) -> bool:
    if re.fullmatch(r"[0-9.]+", host, re.ASCII):
        # The C library accepts "127.1" and "1" as addresses too, which is hardly ever meant.
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            return False
        return True
    return _HOST_NAME.fullmatch(host) is not None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
