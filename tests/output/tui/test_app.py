"""The dashboard's app, driven by Textual's pilot: what it shows, its keys, its sizes and its colours."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from html import unescape

import pytest
from constructed_events import START_S
from dashboard_scenes import PICTURE, SCENES, SHOWN, picture
from textual.pilot import Pilot

from loadgen.output.tui.app import Page
from loadgen.output.tui.dashboard import Dashboard
from loadgen.output.tui.page import SECTIONS

SIZES = ((80, 24), (120, 40))


@asynccontextmanager
async def shown(
    scene: str, size: tuple[int, int] = (80, 24), dashboard: Dashboard | None = None, *, color: bool = True
) -> AsyncIterator[tuple[Page, Pilot[None]]]:
    events, now_s = SCENES[scene]
    page = Page(dashboard or Dashboard(), color=color, now_s=lambda: now_s)
    page.model.began_s = START_S
    async with page.run_test(size=size) as pilot:
        for event in events():
            page.tell(event)
        page.draw()
        await pilot.pause()
        yield page, pilot


def run(test: Callable[[], object]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def rows(page: Page) -> list[str]:
    """The lines of the screen as they are shown."""
    return ["".join(segment.text for segment in strip) for strip in page.screen._compositor.render_strips()]


def drawn(page: Page) -> list[str]:
    """The lines of the screen up to the last that is not empty."""
    return "\n".join(row.rstrip() for row in rows(page)).rstrip().splitlines()


def wanted(page: Page) -> list[str]:
    """The lines of all sections."""
    lines = [line.rstrip() for name in SECTIONS for line in page.sections[name].text.splitlines()]
    return "\n".join(lines).rstrip().splitlines()


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("size", SIZES)
def test_the_screen_shows_every_section_line_by_line(scene: str, size: tuple[int, int]) -> None:
    async def test() -> None:
        async with shown(scene, size) as (page, _):
            assert all(page.sections[name].text for name in SECTIONS)
            assert drawn(page) == wanted(page)
            assert {len(row) for row in rows(page)} == {size[0]}
            assert len(rows(page)) == size[1]

    run(test)


def test_q_stops_once_per_press_and_says_so() -> None:
    pressed: list[str] = []

    async def test() -> None:
        async with shown("run", dashboard=Dashboard(quit=lambda: pressed.append("quit"))) as (page, pilot):
            assert "stopping" not in page.sections["header"].text
            await pilot.press("q")
            assert pressed == ["quit"]
            assert page.sections["header"].text.endswith("stopping")
            await pilot.press("q")
            assert pressed == ["quit", "quit"], "the second press is for one who does not want to wait"

    run(test)


def test_n_skips_where_there_is_something_to_skip_and_is_no_key_elsewhere() -> None:
    pressed: list[str] = []

    async def test() -> None:
        skips = Dashboard(skip=lambda: pressed.append("skip"), quit=lambda: pressed.append("quit"))
        async with shown("chaos", dashboard=skips) as (page, pilot):
            assert "n next" in page.sections["header"].text
            await pilot.press("n")
            assert pressed == ["skip"]
        async with shown("run", dashboard=Dashboard(quit=lambda: pressed.append("quit"))) as (page, pilot):
            assert "n next" not in page.sections["header"].text
            await pilot.press("n", "x", "ctrl+q", "escape")
            assert pressed == ["skip"]

    run(test)


def test_a_page_follows_the_size_of_its_terminal() -> None:
    async def test() -> None:
        async with shown("chaos") as (page, pilot):
            for columns, lines in ((120, 40), (80, 24), (60, 16), (20, 5), (100, 30)):
                await pilot.resize_terminal(columns, lines)
                for _ in range(100):
                    screen = rows(page)
                    if (len(screen[0]), len(screen)) == (columns, lines) and drawn(page) == wanted(page):
                        break
                    await pilot.pause(0.02)
                assert (len(screen[0]), len(screen)) == (columns, lines)
                assert drawn(page) == wanted(page)

    run(test)


def test_a_size_that_the_driver_does_not_tell_of_is_looked_at_with_each_frame() -> None:
    sizes = [(80, 24)]

    async def test() -> None:
        page = Page(Dashboard(), color=True, size=lambda: sizes[-1])
        async with page.run_test(size=sizes[-1]) as pilot:
            sizes.append((101, 31))
            page.draw()
            await pilot.pause()
            assert len(rows(page)) == 31

    run(test)


@pytest.mark.parametrize("color", [True, False])
def test_colours_are_those_of_the_terminal_or_none(color: bool) -> None:
    async def test() -> None:
        async with shown("chaos", color=color) as (page, _):
            styles = {segment.style for strip in page.screen._compositor.render_strips() for segment in strip}
            names = {style.color.name for style in styles if style and style.color} - {"default"}
            assert names <= {"black", "red", "yellow", "green", "cyan"}
            assert bool(names) == color
            assert any(style and style.reverse for style in styles) != color, "a fault is seen without colours, too"

    run(test)


def test_a_line_that_has_not_changed_is_not_drawn_again() -> None:
    async def test() -> None:
        async with shown("run") as (page, pilot):
            again: list[tuple[str, int]] = []
            for name, section in page.sections.items():
                section.refresh = lambda *regions, name=name: again.append((name, len(regions)))  # type: ignore[assignment, method-assign, misc]
            page.model.began_s -= 1
            page.draw()
            await pilot.pause()
            assert again == [("header", 1)]

    run(test)


def test_the_picture_in_the_documents_is_what_the_dashboard_shows() -> None:
    """Run `python tests/support/dashboard_scenes.py` to draw it again."""

    def words(svg: str) -> list[str]:
        return [unescape(text).replace("\xa0", " ").strip() for text in re.findall(r"<text[^>]*>([^<]*)<", svg)]

    assert words(PICTURE.read_text()) == words(asyncio.run(picture(*SHOWN)))
