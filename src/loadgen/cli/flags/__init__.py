"""The meaning of flags: configuration keys, the server's address, and redis-benchmark's and memtier's arithmetic.

The meaning of each flag in each tool is known here. No file is opened; only the existence of files is checked.
"""

from loadgen.cli.flags.reading import WITHOUT_FILE, Flags, flags_of

__all__ = ["WITHOUT_FILE", "Flags", "flags_of"]
