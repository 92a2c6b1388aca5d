"""The kinds of faults, as the document for users has them."""

import re

from places import ROOT

from loadgen.faults.kinds import ROWS


def test_the_document_has_a_row_for_each_kind_with_its_layer_and_parameters() -> None:
    rows = re.findall(r"^\| `(.*) \| (\w+) \| .* \| (.*) \| .* \|$", (ROOT / "docs/FAULTS.md").read_text(), re.M)
    documented = {names.split("`")[0]: (layer, re.findall(r"`(\w+)`", keys)) for names, layer, keys in rows}
    assert documented == {row.name: (row.layer, [its.name for its in row.parameters]) for row in ROWS}
