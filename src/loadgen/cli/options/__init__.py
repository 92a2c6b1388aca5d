"""The command line as data: the options of a verb, the kinds of their values, and the parser of words.

A flag is one row, an `Option`, in the table of a verb or in one that verbs share (`load`). `parse` turns words into a
`Given`, `help` a table into text. The meaning of values is known to `flags` and the verbs only.
"""

from loadgen.cli.options.given import Given, Word
from loadgen.cli.options.help import help_of
from loadgen.cli.options.option import Option, OptionGroup, Positional, Syntax
from loadgen.cli.options.parse import ended, parse

__all__ = ["Given", "Option", "OptionGroup", "Positional", "Syntax", "Word", "ended", "help_of", "parse"]
