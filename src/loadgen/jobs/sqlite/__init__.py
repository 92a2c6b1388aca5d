"""The storage of jobs in a file of SQLite: nothing to install, shared by the processes of one host."""

from loadgen.jobs.sqlite.storage import Durability, Sqlite

__all__ = ["Durability", "Sqlite"]
