"""The token of agents and their leader: from a file or the environment, never from the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from loadgen.errors import UsageError

VARIABLE = "LOADGEN_TOKEN"

SHORTEST = 16
"""The shortest token, in characters: who can connect can try as many as a network carries."""


def token_of(path: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """Return the token in a file, or that of the environment; empty where there is neither. Raises UsageError."""
    if path is None:
        words, where = environment.get(VARIABLE, "").strip(), VARIABLE
    else:
        try:
            words, where = Path(path).read_text(encoding="utf-8").strip(), path
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the token file {path} cannot be read ({_why(error)})") from None
    if (path is not None or words) and len(words) < SHORTEST:
        raise UsageError(
            f"the token in {where} has {len(words)} characters, and {SHORTEST} are the fewest: make one by "
            "`openssl rand -hex 32`."
        )
    return words


def _why(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or "" if isinstance(error, OSError) else "it is not UTF-8"
