"""Addresses as Toxiproxy reads them: Go's `host:port`, with Go's sentences about what is wrong. No I/O."""

from __future__ import annotations


class AddressError(ValueError):
    """An address that cannot be used, in Go's words, which Toxiproxy's answers repeat."""


def split(address: str) -> tuple[str, int]:
    """Return host and port of `host:port` or `[host]:port`; an empty host means every address, port 0 any.

    An empty address means every address and any port. Raises AddressError.
    """
    if not address:
        return "", 0
    host, port = _parted(address)
    if port == "":
        return host, 0
    if not (port.isascii() and port.isdigit()):
        raise AddressError(f"lookup tcp/{port}: unknown port")
    if int(port) > 65_535:
        raise AddressError(f"address {port}: invalid port")
    return host, int(port)


def _parted(address: str) -> tuple[str, str]:
    """Return host and port as Go's SplitHostPort parts them. Raises AddressError."""

    def wrong(what: str) -> AddressError:
        return AddressError(f"address {address}: {what} in address")

    host, colon, port = address.rpartition(":")
    if not colon:
        raise wrong("missing port")
    rest = port
    if address.startswith("["):
        end = address.find("]")
        if end < 0:
            raise wrong("missing ']'")
        if end + 1 != len(host):
            raise wrong("too many colons" if address[end + 1 : end + 2] == ":" else "missing port")
        host = address[1:end]
    elif ":" in host:
        raise wrong("too many colons")
    else:
        rest = address
    if "[" in host + rest:
        raise wrong("unexpected '['")
    if "]" in rest:
        raise wrong("unexpected ']'")
    return host, port


def joined(host: str, port: int) -> str:
    """Return `host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
