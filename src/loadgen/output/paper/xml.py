"""XML as text, with everything that came from outside escaped. It knows no event and no picture."""

from __future__ import annotations

from xml.etree import ElementTree

from loadgen.escape import xml

_LONGEST = 1000
"""Of one text or attribute, in characters."""


def serialized(root: ElementTree.Element) -> str:
    """The tree, indented, with a line end; changes it. A style sheet is ours, and keeps its lines."""
    for element in root.iter():
        for name, value in element.attrib.items():
            element.set(name, xml(value, _LONGEST))
        if element.text and element.tag != "style":
            element.text = xml(element.text, _LONGEST)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
