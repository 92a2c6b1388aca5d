"""URLs of HTTP: which ones can be got. Nothing that speaks HTTP is imported, as every configuration has this module."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from loadgen.escape import printable

_HINT = "write one such as http://127.0.0.1:8001/metrics"


def is_url(text: str) -> bool:
    """True for a text that is meant as a URL of HTTP."""
    return text.startswith(("http://", "https://"))


def checked(url: str) -> str:
    """Return the URL. Raises ValueError, with a sentence, for one that cannot be got."""
    parts_of(url)
    return url


def parts_of(url: str) -> SplitResult:
    """Return the parts of a URL. Raises ValueError as `checked` does."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 -- raises for a port that is none
    except ValueError:
        raise ValueError(f"{printable(url)} is no URL; {_HINT}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{printable(url)} is no URL of HTTP; {_HINT}")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"{printable(url)} is no URL: it has characters that are to be written as %XX")
    return parts
