"""Pages that monitors read by HTTP: what a page is, and why it cannot be had, in words for a gap."""

from __future__ import annotations

from loadgen.monitors.monitor import Unreadable
from loadgen.secret import without_user
from loadgen.web.get import NoPageError, Page, get, get_on

MOST_BYTES = 16 << 20
"""The most bytes of a page: an exporter of a large service reports some megabytes."""

_BEGINNING_OF_HTML = (b"<!doctype html", b"<html")


def named(page: Page) -> str:
    """Return what a page's body is, for a sentence: HTML, JSON, a media type."""
    if page.media_type == "text/html" or page.body.lstrip()[:14].lower().startswith(_BEGINNING_OF_HTML):
        return "HTML"
    return "JSON" if page.media_type.endswith("json") else page.media_type


def fetch(url: str, timeout_s: float, *, accept: str = "*/*") -> Page:
    """Return the page at an address, whatever its status; follow no redirect. Raises Unreadable."""
    try:
        return get(url, timeout_s, MOST_BYTES, accept)
    except (NoPageError, ValueError) as error:
        raise Unreadable(f"{asked(url)} cannot be got: {error}") from None


def fetch_on(socket_path: str, path: str, timeout_s: float, name: str) -> Page:
    """Return a page of the server that listens on a socket in the Unix domain. `name` is the server's in sentences.

    Raises Unreadable.
    """
    try:
        return get_on(socket_path, path, timeout_s, MOST_BYTES)
    except NoPageError as error:
        raise Unreadable(f"{name} at {socket_path} cannot be asked: {error}") from None


def asked(url: str) -> str:
    """Return the beginning of a sentence on what an address has answered."""
    return f"GET {without_user(url)}"
