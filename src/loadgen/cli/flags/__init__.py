"""What flags come to: keys of the configuration, the server's address, and redis-benchmark's and memtier's arithmetic.

It knows what each flag means in which tool. It opens nothing, and of files it knows only whether they are there.
"""

from loadgen.cli.flags.reading import WITHOUT_FILE, Flags, flags_of

__all__ = ["WITHOUT_FILE", "Flags", "flags_of"]
