"""The Textual app: it folds events into the model and draws the page, five times a second."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from loadgen.events import Event
from loadgen.output.tui.dashboard import Dashboard
from loadgen.output.tui.line import STYLES, Line, text
from loadgen.output.tui.model import Model
from loadgen.output.tui.page import SECTIONS, page

FRAME_S = 0.2
"""The time from one frame to the next."""


class Section(Widget):
    """A section of the page. A line is drawn again when it has changed."""

    DEFAULT_CSS = "Section { height: 0; width: 100%; }"

    def __init__(self, name: str, styles: dict[str, Style]) -> None:
        super().__init__(id=name)
        self._palette = styles
        self._lines: Sequence[Line] = ()

    @property
    def text(self) -> str:
        """The section's text without styles."""
        return "\n".join(text(line) for line in self._lines)

    def show(self, lines: Sequence[Line]) -> None:
        before, self._lines = self._lines, lines
        if len(before) != len(lines):
            self.styles.height = len(lines)
            self.refresh()
            return
        changed = [y for y, (old, new) in enumerate(zip(before, lines, strict=True)) if old != new]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def render_line(self, y: int) -> Strip:
        line = self._lines[y] if y < len(self._lines) else ()
        strip = Strip([Segment(words, self._palette[style]) for words, style in line])
        return strip.adjust_cell_length(self.size.width)


class Page(App[None]):
    """The dashboard of one command. Events may be told from any thread."""

    CSS = "Screen { overflow: hidden; }"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "stop"), Binding("n", "skip")]

    def __init__(
        self,
        dashboard: Dashboard,
        *,
        color: bool,
        driver: type[Driver] | None = None,
        size: Callable[[], tuple[int, int]] | None = None,
        ready: Callable[[], None] = lambda: None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """`size` is the terminal's size, where the driver does not tell of changes; `ready` is called once, when the
        first frame is there; `now_s` is Unix time."""
        super().__init__(driver_class=driver)
        # The page has the terminal's own colours, or none: `color` has decided already.
        self.theme = "ansi-dark"
        self._filters = []
        # Textual would take what the whole process prints.
        self._capture_stdout, self._capture_stderr = sys.stdout, sys.stderr  # type: ignore[assignment]
        self._dashboard = dashboard
        self._now_s = now_s
        self._measure = size
        self._ready_to_show = ready
        self._told: deque[Event] = deque()
        self.failure: Exception | None = None
        """The error that ended the app; None when `end` did."""
        self.frames = 0
        self.model = Model(now_s(), can_skip=dashboard.skip is not None)
        palette = {name: Style.parse(words[0] if color else words[1]) for name, words in STYLES.items()}
        self.sections = {name: Section(name, palette) for name in SECTIONS}

    def compose(self) -> ComposeResult:
        yield from self.sections.values()

    def on_mount(self) -> None:
        self.draw()
        self.set_interval(FRAME_S, self.draw)
        self.call_after_refresh(self._ready_to_show)

    def tell(self, event: Event) -> None:
        """Show an event from the next frame on. May be called from any thread."""
        self._told.append(event)

    def end(self) -> None:
        """End the app after a last frame. May be called from any thread, and when the app has ended already."""
        with contextlib.suppress(RuntimeError):
            if (loop := self._loop) is not None:
                loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self.draw()
        self.exit()

    def draw(self) -> None:
        """Draw a frame."""
        while self._told:
            self.model.tell(self._told.popleft())
        if self._measure is not None and (size := Size(*self._measure())) != self.size:
            self.post_message(events.Resize(size, size))
        drawn = page(self.model, self._now_s(), *self.size)
        for name, section in self.sections.items():
            section.show(drawn[name])
        self.frames += 1

    def on_resize(self) -> None:
        self.draw()

    def action_stop(self) -> None:
        self.model.stopping = True
        self._dashboard.quit()
        self.draw()

    def action_skip(self) -> None:
        if self._dashboard.skip is not None:
            self._dashboard.skip()

    def _handle_exception(self, error: Exception) -> None:
        self.failure = self.failure or error
        super()._handle_exception(error)

    def _print_error_renderables(self) -> None:
        """Print nothing: the error is the caller's to report."""
        self._exit_renderables.clear()
