"""Round numbers in few characters."""

from __future__ import annotations

import re

from loadgen.output.words import figures


def rounded(value: float) -> str:
    """Return a number in three digits at most, without zeros behind the point: 20000 is "20K", 1250 is "1.25K"."""
    return re.sub(r"(?:\.0+|(\.\d*[1-9])0+)(?=\D|$)", r"\1", figures.rate(value))
