"""Why the model answers with an error: the exception that a command raises, and the errors that many commands share."""

from __future__ import annotations


class CommandError(Exception):
    """A command fails with this error reply, and has changed nothing that its handler has not said."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text.decode())
        self.text = text


WRONG_TYPE = CommandError(b"WRONGTYPE Operation against a key holding the wrong kind of value")
SYNTAX = CommandError(b"ERR syntax error")
NOT_AN_INTEGER = CommandError(b"ERR value is not an integer or out of range")
NOT_A_FLOAT = CommandError(b"ERR value is not a valid float")
NO_SUCH_KEY = CommandError(b"ERR no such key")
OUT_OF_RANGE = CommandError(b"ERR index out of range")


def wrong_arity(name: bytes) -> CommandError:
    return CommandError(b"ERR wrong number of arguments for '%b' command" % name.lower())


def invalid_expiry(name: bytes) -> CommandError:
    return CommandError(b"ERR invalid expire time in '%b' command" % name.lower())
