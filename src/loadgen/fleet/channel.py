"""A channel to an agent: a stream of bytes, whatever carries it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Channel:
    """A stream of bytes to one agent, and what was launched for it."""

    name: str
    """The agent's name in sentences and tables: that of its host, or `local 2`."""
    socket: socket.socket
    ending: Callable[[], str]
    """Return how the far side ended, in words after its name, such as "ended with exit status 1"."""
    end: Callable[[], None]
    """End what was launched, within 2 s. A second call does nothing."""
    give_up: Callable[[], None] = lambda: None
    """End what was launched at once: the agent is lost, and does not end by itself. `end` is called all the same."""
    token: str = field(default="", repr=False)
    """The token that agent and leader prove to each other that they know. Empty where the channel is proof enough, as
    it is to a process of ours, and by ssh."""
