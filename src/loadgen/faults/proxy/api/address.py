"""Addresses as Toxiproxy reads them: Go's `host:port`, with Go's sentences about what is wrong. No I/O."""

from __future__ import annotations


class AddressError(ValueError):
    """An address that cannot be used, in Go's words, which Toxiproxy's answers repeat."""


def split(address: str) -> tuple[str, int]:
    """Return host and port of `host:port` or `[host]:port`; an empty host means every address.

    Raises AddressError.
    """
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        raise AddressError(f"address {address}: missing port in address")
    if host.startswith("["):
        if not host.endswith("]"):
            raise AddressError(f"address {address}: missing ']' in address")
        host = host[1:-1]
    elif ":" in host:
        raise AddressError(f"address {address}: too many colons in address")
    if port == "":
        return host, 0
    if not (port.isascii() and port.isdigit()):
        raise AddressError(f"lookup tcp/{port}: unknown port")
    if int(port) > 65_535:
        raise AddressError(f"address {port}: invalid port")
    return host, int(port)


def joined(host: str, port: int) -> str:
    """Return `host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
