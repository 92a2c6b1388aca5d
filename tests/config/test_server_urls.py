"""URLs among the endpoints become plain addresses and keys; what contradicts them is told with both names."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgen.config import Config, Flag, dump, load
from loadgen.errors import ConfigError


def written(tmp_path: Path, *lines: str, overrides: tuple[str, ...] = (), **flags: object) -> Config:
    """The configuration of a [target] with these lines, under flags."""
    file = tmp_path / "bench.toml"
    file.write_text("[connection]\nconnections = 8\n[target]\n" + "\n".join(lines))
    typed = {key.replace("__", "."): Flag(f"--{key}", value) for key, value in flags.items()}
    return load(file, overrides, typed)


def test_a_url_is_an_address_and_the_keys_it_stands_for(tmp_path: Path) -> None:
    target = written(tmp_path, 'endpoints = ["redis://u:pass@h/3", "redis://u:pass@[::1]:7/3"]').target
    assert target.endpoints == ("h:6379", "[::1]:7")
    assert (target.username, target.password, target.database, target.protocol) == ("u", "pass", 3, "resp")
    memcached = written(tmp_path, 'endpoints = ["memcache://h", "other:1"]').target
    assert (memcached.protocol, memcached.endpoints) == ("memcache", ("h:11211", "other:1"))
    assert written(tmp_path, 'protocol = "resp3"', 'endpoints = ["redis://h"]').target.protocol == "resp3"


def test_a_url_of_tls_asks_for_tls(tmp_path: Path) -> None:
    assert written(tmp_path, 'endpoints = ["redis://h"]').target.tls is False
    assert written(tmp_path, 'endpoints = ["rediss://h"]').target.tls is True
    with pytest.raises(ConfigError, match=r"is a rediss:// URL, which wants TLS, and target.tls says otherwise"):
        written(tmp_path, 'endpoints = ["rediss://h"]', "tls = false")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['endpoints = ["redis://u:p@h"]', 'username = "w"'], "has a user, and target.username says otherwise"),
        (['endpoints = ["redis://:p@h"]', 'password = "q"'], "has a password, and target.password says otherwise"),
        (['endpoints = ["redis://:p@h"]', 'password_env = "Q"'], "has a password, and target.password_env says"),
        (['endpoints = ["redis://h/1"]', "database = 2"], "has the database 1, and target.database says otherwise"),
        (['endpoints = ["redis://h"]', 'protocol = "memcache"'], "is a redis:// URL, and target.protocol says"),
        (['endpoints = ["memcache://h"]', 'protocol = "resp3"'], "is a memcache:// URL, and target.protocol says"),
        (['endpoints = ["redis://:p@h", "redis://:q@g"]'], "has another password than target.endpoints[0]"),
        (['endpoints = ["redis://h", "memcache://g"]'], "has another protocol than target.endpoints[0]"),
    ],
)
def test_a_contradiction_names_both(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        written(tmp_path, *lines)
    [problem] = error.value.problems
    assert "bench.toml:4:" in problem
    assert words in problem


def test_the_later_layer_wins(tmp_path: Path) -> None:
    url = ["redis://:typed@h/2"]
    target = written(tmp_path, 'username = "u"', 'password_env = "X"', "database = 1", target__endpoints=url).target
    assert (target.username, target.password, target.password_env, target.database) == ("", "typed", None, 2)
    in_file = 'endpoints = ["redis://u:p@h/1"]'
    target = written(tmp_path, in_file, target__password="q", target__database=0).target
    assert (target.username, target.password, target.database) == ("u", "q", 0)
    target = written(tmp_path, in_file, overrides=("target.password_file=/x",)).target
    assert (target.password, target.password_file) == ("", "/x")
    with pytest.raises(ConfigError, match=r"target.password says otherwise"):
        written(tmp_path, "", target__endpoints=url, target__password="q")


def test_a_configuration_is_shown_without_what_a_url_had(tmp_path: Path) -> None:
    config = written(tmp_path, 'endpoints = ["redis://u:s3cretpass@h"]', "[[monitor]]", 'kind = "redis"', 'name = "a"',
                     'server = "redis://v:0therpass@g"')  # fmt: skip
    shown = dump(config, show_secrets=False)
    assert "s3cretpass" not in shown
    assert "0therpass" not in shown
    assert load(None, (), {}).target.password == ""
