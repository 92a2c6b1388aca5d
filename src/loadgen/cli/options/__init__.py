"""The command line as data: which options a verb has, what values they take, and how words become them.

A flag is one row, an `Option`, in the table of a verb or in one that verbs share (`load`). `parse` turns words into a
`Given`, `help` a table into text. What a value means for a run is for `flags` and the verbs.
"""

from loadgen.cli.options.given import Given, Word
from loadgen.cli.options.help import help_of
from loadgen.cli.options.option import Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.parse import ended, parse

__all__ = ["Given", "Option", "OptionGroup", "Positional", "Syntax", "Word", "ended", "help_of", "parse"]
