"""A server's address as text: every form, and no user and no password in what is said of a wrong one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.plan import Endpoint
from loadgen.server_address import ServerAddress, parse

SOCKET = Endpoint.at_path("/run/r.sock")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("cache:1", ServerAddress(Endpoint("cache", 1, ""))),
        ("unix:/run/r.sock", ServerAddress(SOCKET)),
        ("/run/r.sock", ServerAddress(SOCKET)),
        ("./r.sock", ServerAddress(Endpoint.at_path("./r.sock"))),
        ("redis://", ServerAddress(Endpoint("127.0.0.1", 6379, ""), "redis", "resp")),
        ("redis://h/", ServerAddress(Endpoint("h", 6379, ""), "redis", "resp")),
        ("redis://:7000/2", ServerAddress(Endpoint("127.0.0.1", 7000, ""), "redis", "resp", database=2)),
        ("REDIS://h?db=0", ServerAddress(Endpoint("h", 6379, ""), "redis", "resp", database=0)),
        ("valkeys://[::1]", ServerAddress(Endpoint("::1", 6379, ""), "valkeys", "resp", tls=True)),
        ("redis://u:p%40%2F@h", ServerAddress(Endpoint("h", 6379, ""), "redis", "resp", username="u", password="p@/")),
        ("redis://only@h", ServerAddress(Endpoint("h", 6379, ""), "redis", "resp", password="only")),
        ("redis+unix:///run/r.sock?db=1", ServerAddress(SOCKET, "redis+unix", "resp", database=1)),
        ("redis+unix://:p@/run/r.sock", ServerAddress(SOCKET, "redis+unix", "resp", password="p")),
        ("unix:///run/r.sock", ServerAddress(SOCKET, "unix")),
        ("memcached://h", ServerAddress(Endpoint("h", 11211, ""), "memcached", "memcache")),
    ],
)
def test_each_form_says_what_it_says(text: str, address: ServerAddress) -> None:
    assert parse(text) == address


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("http://h", '"http://h" begins with http://, which names no server here'),
        ("redis://h:99999", '"redis://h:99999" has port 99999, and ports are 1 to 65535'),
        ("redis://u:secret@h:x", '"redis://***@h:x" has no valid port'),
        ("redis://u:sec/ret@h", '"redis://***@h" has a / before its @; in a password it is written %2F'),
        ("redis://u:sec#ret@h", '"redis://***@h" has a # before its @; in a password it is written %23'),
        ("redis://h/one", '"redis://h/one" has the database one, which is no whole number from 0 to 2147483647'),
        ("redis://h/2147483648", "which is no whole number from 0 to 2147483647"),
        ("redis://h/1?db=1", "names the database twice"),
        ("redis://h?timeout=1", "has timeout after its ?, where only db=NUMBER has a meaning"),
        ("memcache://h/1", "has a database, and memcache has none"),
        ("redis+unix://run/r.sock", "has no path from the root; write it with three slashes"),
        ("unix:", '"unix:" has no path of a Unix socket'),
        ("unix:/a\0b", "has no path of a Unix socket"),
        ("/a,b:1", "has no path of a Unix socket without commas"),
    ],
)
def test_a_wrong_address_is_told_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        parse(text)
    assert sentence in str(error.value)
    assert "sec" not in str(error.value)


@given(st.text("/?#@:%[]ab\\", max_size=12), st.sampled_from(["h", "h:x", "[", ":99999", "", "h/x"]))
def test_no_mistake_has_a_password_told(around: str, host: str) -> None:
    try:
        address = parse(f"redis://u:{around}SECRET@{host}")
    except ValueError as error:
        assert "SECRET" not in str(error)  # noqa: PT017
    else:
        assert "SECRET" in address.password
        assert "SECRET" not in repr(address)
        assert "SECRET" not in str(address.endpoint)
