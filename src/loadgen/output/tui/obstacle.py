"""The reason why no dashboard can be shown here."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TextIO

NO_TERMINAL = "the dashboard needs a terminal as standard input and output; plain text follows"
NO_TEXTUAL = "the dashboard needs Textual, which is not installed: pip install 'loadgen[tui]'; plain text follows"


def obstacle() -> str:
    """Return why no dashboard can be shown, NO_TERMINAL or NO_TEXTUAL; empty when a dashboard can be shown."""
    if not (_is_terminal(sys.stdin) and _is_terminal(sys.stdout)) or os.environ.get("TERM", "dumb") == "dumb":
        return NO_TERMINAL
    try:
        importlib.import_module("textual.app")
    except ImportError:
        return NO_TEXTUAL
    return ""


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()
