"""A password is never shown: not in a server's echo, a log, a record or a printed configuration."""

from __future__ import annotations

import base64
import json
import os
import random
import sys
from pathlib import Path

import pytest
from config_problems import problem
from faulty_server import FaultyServer, answers
from in_process import invoked, invoked_load
from runs import plan

from loadgen.cli import soaks
from loadgen.config import dump, load, resolve
from loadgen.config.tables import password as password_module
from loadgen.errors import ConfigError, TargetError
from loadgen.plan import Endpoint, Target
from loadgen.secret import LONG, MASK, SHORT, masked, words_without_secrets
from loadgen.soak.asked import Asked
from loadgen.soak.checkpoints import Schedule
from loadgen.target.log import ServerLog
from loadgen.target.talk import ready, sanity

PASSWORD = "s3cr et\"'\\ü\n"
DATA = PASSWORD.encode()


@pytest.mark.parametrize(
    "spelled",
    [
        PASSWORD,
        repr(DATA),
        repr(PASSWORD),
        DATA.hex(),
        DATA.hex().upper(),
        DATA.hex(" "),
        "".join(f"\\x{byte:02x}" for byte in DATA),
        base64.b64encode(DATA).decode(),
        DATA.decode("latin-1"),
        "s3cr%20et%22%27%5C%C3%BC%0A",
        '"s3cr et\\"\'\\\\\\u00fc\\n"',
    ],
)
def test_a_password_is_found_however_it_is_spelled(spelled: str) -> None:
    text = masked(f"ERR unknown command HELLO 3 AUTH default {spelled} with args", PASSWORD)
    assert text.startswith("ERR unknown command HELLO 3 AUTH default ")
    assert text.strip("'\"b").endswith(" with args")
    assert MASK in text
    assert "3cr" not in text
    assert DATA.hex()[:8] not in text.lower()


def test_the_beginning_of_a_password_that_a_text_was_cut_in_is_masked() -> None:
    for length in range(SHORT, 12):
        assert masked("ERR AUTH " + "hunter2-hunter"[:length], "hunter2-hunter") == f"ERR AUTH {MASK}"
    assert masked("ERR AUTH hun", "hunter2-hunter") == "ERR AUTH hun"


def test_a_password_that_a_server_cut_is_masked_wherever_it_stands() -> None:
    # As Redis does, which repeats 128 characters of an argument and closes the quotation behind them.
    password = "token-" + "".join(chr(97 + n % 26) for n in range(140))
    for cut in (LONG, 50, 128, len(password) - 1):
        said = f"ERR unknown command 'AUTH', with args beginning with: 'default' '{password[:cut]}' 'x'"
        assert masked(said, password) == f"ERR unknown command 'AUTH', with args beginning with: 'default' '{MASK}' 'x'"
    assert masked("a token-bearer, and no more", password) == "a token-bearer, and no more"


def test_a_short_password_is_masked_as_a_word_only() -> None:
    assert masked("ERR a bad AUTH a for a", "a") == f"ERR {MASK} bad AUTH {MASK} for {MASK}"
    assert masked("nothing", "") == "nothing"


def test_masking_leaves_no_password_in_any_text() -> None:
    chance = random.Random(7)
    for _ in range(300):
        password = "".join(chance.choices("abé\\'\" %\n1+/=", k=chance.randint(SHORT, 12)))
        text = "".join(chance.choices(["xyz ", password, repr(password)[1:-1], password.encode().hex()], k=5))
        assert password not in masked(text, password)


@pytest.mark.parametrize("spelled", ["hunter2-hunter2", b"hunter2-hunter2".hex()])
@pytest.mark.parametrize(
    ("protocol", "to"), [("resp3", b"HELLO"), ("resp", b"AUTH"), ("resp", b"GET"), ("resp", b"SET"), ("resp", b"INFO")]
)
def test_what_a_server_echoes_is_in_no_output(protocol: str, to: bytes, spelled: str) -> None:
    reply = f"-{spelled} NOAUTH HELLO 3 AUTH default {spelled} {'x' * 140} {spelled}\r\n".encode()
    with FaultyServer(answers(reply, to=to)) as server:
        finished = invoked_load(
            server.port,
            "--protocol",
            protocol,
            "--password",
            "hunter2-hunter2",
            "--duration",
            "200ms",
            "--warmup",
            "0s",
        )
        here = Endpoint("127.0.0.1", server.port, "127.0.0.1")
        said = ready.ask(Target("resp", (here,), "", "hunter2-hunter2"))
        try:
            words = sanity.check(
                plan(server.port, f"target.protocol={protocol}", "target.password=hunter2-hunter2").target
            )
        except TargetError as error:
            words = str(error)
    for text in (finished.stdout, finished.stderr, said.words, words):
        assert spelled not in text
        assert spelled[:6] not in text


def test_a_log_is_quoted_without_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("panic: --requirepass hunter2 is no good\nlast hunter2\n")
    log = ServerLog(os.open(path, os.O_RDONLY), password="hunter2")
    assert log.log_errors() == (f"panic: --requirepass {MASK} is no good",)
    assert log.log_tail()[-1] == f"last {MASK}"
    log.close()


# ── Where it comes from ─────────────────────────────────────────────────────────────────────────────────────────────


def target(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "bench.toml"
    path.write_text(f"[target]\n{text}\n")
    return path


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"pw", "pw"), (b"pw\n", "pw"), (b"pw\r\n", "pw"), (b" pw \n\n", " pw \n"), ("pü\n".encode(), "pü")],
)
def test_a_password_is_read_from_a_file_without_its_line_end(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "secret").write_bytes(content)
    assert resolve(load(target(tmp_path, f'password_file = "{tmp_path}/secret"'))).target.password == expected


def test_a_password_is_read_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(target(tmp_path, 'password_env = "CACHE_PASSWORD"\nusername = "app"'))
    monkeypatch.setenv("CACHE_PASSWORD", "from there\n")
    assert resolve(settings).target.password == "from there\n"
    monkeypatch.setitem(os.environb, b"CACHE_PASSWORD", b"\xff")
    with pytest.raises(ConfigError, match="CACHE_PASSWORD is no text in UTF-8"):
        resolve(settings)
    monkeypatch.delenv("CACHE_PASSWORD")
    with pytest.raises(ConfigError, match="CACHE_PASSWORD is not set in the environment"):
        resolve(settings)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff", "is no text in UTF-8"),
        (b"x" * (password_module.MOST_BYTES + 1), "which is no password"),
    ],
)
def test_a_file_without_a_password_is_said(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    finished = invoked("run", str(target(tmp_path, f'password_file = "{tmp_path}/secret"')))
    assert finished.status == 2
    assert words in finished.stderr


@pytest.mark.parametrize(
    "text",
    [
        'password = "a"\npassword_env = "B"',
        'password_env = "B"\npassword_file = "c"',
        'password = "a"\npassword_file = "c"',
    ],
)
def test_one_password_is_enough(tmp_path: Path, text: str) -> None:
    assert "keep one of password, password_env and password_file" in problem(tmp_path, f"[target]\n{text}\n")


def test_a_printed_configuration_masks_it(tmp_path: Path) -> None:
    text = 'password = "hunter2"\n[target.server]\n'
    text += 'command = ["redis-server", "--port", "{port}", "--requirepass", "hunter2"]\nenv = { TOKEN = "t0ken" }'
    path = target(tmp_path, text)
    shown, plain = invoked("config", str(path)), invoked("config", str(path), "--show-secrets")
    assert (shown.status, plain.status) == (0, 0)
    assert "hunter2" not in shown.stdout
    assert "t0ken" not in shown.stdout
    assert 'password = "***"' in shown.stdout
    assert plain.stdout == dump(load(path))
    assert plain.stdout.count("hunter2") == 2


def test_a_printed_configuration_masks_it_wherever_its_server_is_given_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHE_PASSWORD", "hunter2")
    text = 'password_env = "CACHE_PASSWORD"\n[target.server]\nbuild = ["make", "PASS=hunter2"]\n'
    text += 'command = ["redis-server", "{dir}/redis.conf", "--port", "{port}", "--masterauth", "hunter2"]\n'
    path = target(tmp_path, text + 'files = { "redis.conf" = "requirepass hunter2" }')
    shown = invoked("config", str(path))
    assert shown.status == 0, shown.stderr
    assert "hunter2" not in shown.stdout
    assert shown.stdout.count(MASK) == 3


def test_a_command_line_is_kept_without_the_password_and_the_users_of_urls() -> None:
    words = [
        "-a",
        "hunter2-hunter",
        "--set",
        'target.endpoints=["redis://u:other@h", "rediss://:p%40@g"]',
        "-u",
        "redis://h",
    ]
    assert words_without_secrets(words, "hunter2-hunter") == [
        "-a", MASK, "--set", f'target.endpoints=["redis://{MASK}@h", "rediss://{MASK}@g"]', "-u", "redis://h",
    ]  # fmt: skip


def test_the_folder_of_a_soak_has_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["soak", "-u", "redis://me:hunter2-hunter@h:1"]
    monkeypatch.setattr(sys, "argv", ["loadgen", *words])
    settings = load(None, (), {"target.endpoints": [words[-1]]})
    asked = Asked(Schedule(0, 1, 1, 1))
    kept = json.dumps(soaks.run_of(settings, asked, 0.0))
    assert "hunter2-hunter" not in kept
    assert "h:1" in kept
