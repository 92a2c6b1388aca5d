"""XML as text, with all attributes and texts escaped. It knows no event and no picture."""

from __future__ import annotations

from xml.etree import ElementTree

from loadgen.escape import xml

_LONGEST = 1000
"""Characters of one text or attribute."""


def serialized(root: ElementTree.Element) -> str:
    """Modify the tree, and return it as indented text with a line end.

    The constant style sheet is not escaped, nor is the data of a path, which may be long: both have no text from
    outside.
    """
    for element in root.iter():
        for name, value in element.attrib.items():
            if (element.tag, name) != ("path", "d"):
                element.set(name, xml(value, _LONGEST))
        if element.text and element.tag != "style":
            element.text = xml(element.text, _LONGEST)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
