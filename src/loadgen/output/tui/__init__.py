"""The dashboard: a command's events as a page of a terminal, drawn five times a second.

The model folds events into a state and knows neither the terminal nor Textual; sections are drawn as plain lines from
the state and a time. `app`, `driver` and `shown` are the only files that know Textual. The dashboard is an output like
any other: it receives events, and verbs do not know of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadgen.lazy import lazily

if TYPE_CHECKING:
    from loadgen.output.tui.dashboard import Dashboard
    from loadgen.output.tui.obstacle import obstacle
    from loadgen.output.tui.shown import Shown

__all__ = ["Dashboard", "Shown", "obstacle"]

__getattr__ = lazily(__name__, {"Dashboard": "dashboard", "Shown": "shown", "obstacle": "obstacle"})
