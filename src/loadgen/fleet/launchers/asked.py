"""What a command line says of agents besides where they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from loadgen.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What launchers are given; each takes what it needs."""

    token: str = field(default="", repr=False)
    """The user's; empty for none."""
    remote_command: str = "loadgen"
    """What the shell of another machine is given to run loadgen."""
    wait_s: float | None = None
    """How long agents that are not there yet are waited for; None for the launcher's own measure."""
    say: Callable[[str], None] = lambda words: None
    """Tells the user how the launch goes."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def checked_token(self, words: str) -> str:
        """Return the token for agents over a network. Raises UsageError where there is none."""
        if not self.token:
            raise UsageError(
                f"--on {words} needs a token, as anybody on the network could be an agent or its leader: make a file "
                "with `openssl rand -hex 32`, and give it to both as --token-file or LOADGEN_TOKEN."
            )
        return self.token
