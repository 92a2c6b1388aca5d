"""A self-contained SVG file to draw on, in light and dark: no scripts, fonts or links. It knows no event.

Attributes alone define a picture, since many programs that draw SVG ignore style sheets. Browsers use the style sheet
on dark pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement

INK, PAPER = "#1f2328", "#ffffff"
SMALL_SIZE, TITLE_SIZE = "12", "15"
MINOR = {"fill-opacity": "0.75", "font-size": SMALL_SIZE}
"""The look of less important words."""

_FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"
_SIZE = "13"
_PLAIN = {"class": "ink", "fill": INK}
_DARK = ".paper { fill: #0d1117; } .ink { fill: #e6edf3; } .rule { stroke: #e6edf3; }"


def canvas(width: int, height: int, title: str, description: str, dark: str) -> Element:
    """Return the root of a picture. `dark` has the rules of the drawing's own classes on dark pages."""
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width} {height}",
            "width": str(width),
            "height": str(height),
            "role": "img",
            "aria-labelledby": "title desc",
            "font-family": _FONT,
            "font-size": _SIZE,
        },
    )
    SubElement(root, "title", id="title").text = title
    SubElement(root, "desc", id="desc").text = description
    SubElement(root, "style").text = f"@media (prefers-color-scheme: dark) {{ {_DARK} {dark} }}"
    SubElement(root, "rect", {"class": "paper", "width": str(width), "height": str(height), "fill": PAPER})
    return root


def text(
    parent: Element, x: float, y: float, words: str, look: Mapping[str, str] | None = None, anchor: str = "start"
) -> None:
    """Draw words at a place; `look` has the attributes that differ from plain ink."""
    SubElement(parent, "text", {**_PLAIN, **(look or {}), "x": px(x), "y": px(y), "text-anchor": anchor}).text = words


def px(value: float) -> str:
    """Return a coordinate in pixels, with two decimals at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
