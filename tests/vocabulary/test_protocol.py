"""The rows of the protocols: what each means for a connection, a server and a configuration."""

from __future__ import annotations

import typing

import pytest

from loadgen.command import COMMANDS
from loadgen.config.tables import values
from loadgen.protocol import ALIASES, PROTOCOLS, Wire


def test_the_configuration_takes_every_row_and_no_other_name() -> None:
    literal, *_ = typing.get_args(values.Protocol)
    assert typing.get_args(literal) == tuple(PROTOCOLS)


def test_every_other_spelling_is_of_a_row() -> None:
    assert {*ALIASES.values()} <= {*PROTOCOLS}
    assert not {*ALIASES} & {*PROTOCOLS}


def test_every_wire_has_a_row_that_a_server_is_started_with() -> None:
    assert {row.server.name for row in PROTOCOLS.values()} == {*Wire, "memcache-binary"}
    assert all(PROTOCOLS[wire].wire is wire for wire in Wire)


@pytest.mark.parametrize(
    ("protocol", "precheck", "question"),
    [
        ("resp", "ping", "PING"),
        ("resp", "hello", "HELLO"),
        ("resp", "none", ""),
        ("resp3", "none", "HELLO"),
        ("memcache", "ping", "version"),
        ("memcache", "none", ""),
        ("memcache-meta", "ping", "mn"),
        ("memcache-binary", "ping", "no-op"),
    ],
)
def test_the_question_is_that_of_the_protocol_and_the_choice(protocol: str, precheck: str, question: str) -> None:
    assert PROTOCOLS[protocol].question(precheck) == question


@pytest.mark.parametrize(
    ("protocol", "precheck", "authenticated", "greetings"),
    [
        ("resp", "ping", False, ("ping",)),
        ("resp", "ping", True, ("auth", "ping")),
        ("resp", "hello", True, ("auth", "hello")),
        ("resp", "none", True, ("auth",)),
        ("resp", "none", False, ()),
        # Its HELLO carries the password.
        ("resp3", "none", True, ("hello",)),
        ("resp3", "ping", False, ("hello",)),
        ("memcache", "ping", True, ("auth", "ping")),
        ("memcache-binary", "none", True, ("auth",)),
        ("memcache", "none", False, ()),
        ("ping", "ping", False, ("ping",)),
    ],
)
def test_a_connection_begins_with_the_requests_of_its_protocol(
    protocol: str, precheck: str, authenticated: bool, greetings: tuple[str, ...]
) -> None:
    assert PROTOCOLS[protocol].greetings(precheck, authenticated=authenticated) == greetings
    assert {*greetings} <= {command.name for command in COMMANDS}
