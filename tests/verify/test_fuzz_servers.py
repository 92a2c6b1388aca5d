"""Servers that are given inputs: what is a finding, what they are not given, and real ones that break at nothing."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from in_process import invoked
from places import SUPPORT

from loadgen.protocol import Wire
from loadgen.server_plan import ServerPlan, loopback
from loadgen.target.server import ManagedServer
from loadgen.verify.case import Outcome, Verdict
from loadgen.verify.fuzz import corpus, forms
from loadgen.verify.fuzz.examined import Examined
from loadgen.verify.fuzz.payload import footed
from loadgen.verify.fuzz.piece import Item
from loadgen.verify.fuzz.servers import server
from loadgen.verify.fuzz.servers.server import FuzzedServer
from loadgen.verify.fuzz.servers.targets import CommandHandler, harmless
from loadgen.verify.kinds.fuzz import SUITE
from loadgen.verify.tape import Tape

FRAGILE = ServerPlan("fragile", (sys.executable, str(SUPPORT / "fragile_server.py"), "{port}"), loopback("resp"))


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandHandler]:
    monkeypatch.setattr(server, "PATIENCE_S", 0.5)
    monkeypatch.setattr(server, "MOST_GROWTH_BYTES", 32 << 20)
    with ManagedServer(FRAGILE) as managed, contextlib.closing(FuzzedServer(managed, Wire.RESP)) as fuzzed:
        yield CommandHandler(fuzzed, Wire.RESP)


def test_what_a_server_does_is_a_finding_about_its_input(fragile: CommandHandler) -> None:
    answered = Examined(("answered",))
    assert fragile.examine([], b"PING\r\n", False) == answered
    for data, invariant, found in (
        (b"end\r\n", server.LIVES, "fragile has ended: panic: it was told to end"),
        (b"hang\r\n", server.ANSWERS, "the connection was open after 0.5 s"),
        (b"grow\r\n", server.BOUNDED, "it took 4"),
        (b"speak\r\n", server.SPEAKS, "a reply that begins with b'h' in b'hello"),
    ):
        examined = fragile.examine([], data, False)
        assert examined.invariant == invariant
        assert examined.found.startswith(found)
        # The server is as before for the next input.
        assert fragile.examine([], b"PING\r\n", False) == answered
    assert fragile.examine([], b"cut\r\n", False) == Examined(("no answer",))
    assert fragile.examine([], b"other\r\n", False) == Examined(("answered", "refused"))


def test_commands_that_change_the_server_are_not_given() -> None:
    given = b"*1\r\n$8\r\nSHUTDOWN\r\n*3\r\n$6\r\nconfig\r\n$3\r\nset\r\n*1\r\n$4\r\nPING\r\n"
    assert harmless(given) == b"*1\r\n$8\r\n_HUTDOWN\r\n*3\r\n$6\r\n_onfig\r\n$3\r\nset\r\n*1\r\n$4\r\nPING\r\n"
    for form in (forms.RESP_REQUESTS, forms.MEMCACHE_REQUESTS):
        whole = b"".join(form.bytes_of(entry) for entry in corpus.items(form))
        assert harmless(whole) == whole


def test_payloads_are_read_as_what_they_hold() -> None:
    form = forms.PAYLOADS
    names = set()
    for entry in corpus.items(form):
        whole = form.bytes_of(entry)
        assert form.bytes_of(Item(0, form.read(whole))) == whole
        names |= {type(piece).__name__ for piece in entry.pieces}
    assert names == {"bytes", "Frame"}
    assert footed(b"\x00\x05hello")[-10:-8] == b"\x0a\x00"


@pytest.mark.parametrize(
    ("target", "subject", "states"),
    [
        ("command_handler", "redis", {"answered", "no answer", "refused"}),
        ("command_handler", "memcached", {"answered", "no answer", "refused"}),
        ("command_handler", "builtin", {"answered", "no answer", "refused"}),
        ("command_handler", "builtin-memcache", {"answered", "no answer", "refused"}),
        ("restore", "redis", {"restored", "refused"}),
    ],
)
def test_a_real_server_breaks_at_nothing(target: str, subject: str, states: set[str]) -> None:
    reached: Counter[str] = Counter()
    with SUITE.opened([f"fuzz_{target}"], {"subject": subject}, lambda progress: None) as opened:
        [kind] = opened.kinds
        for seed in range(120):
            outcome = kind.run(Tape.seeded(kind.name, seed))
            assert outcome.verdict is Verdict.PASS, (seed, outcome)
            reached.update(outcome.sometimes)
    assert {name.removeprefix(f"{target}: ") for name, count in reached.items() if count} == states


def test_redis_takes_every_payload_of_the_corpus() -> None:
    restored = 0
    with SUITE.opened(["fuzz_restore"], {"subject": "redis"}, lambda progress: None) as opened:
        [kind] = opened.kinds
        entries = corpus.items(forms.PAYLOADS)
        for entry in entries:
            found = kind._ask([""], forms.PAYLOADS.bytes_of(entry), False)  # type: ignore[attr-defined]
            restored += found == Examined(("restored",))
    assert restored == len(entries)


def test_a_server_without_restore_is_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoked("fuzz", "-t", "restore", "--subject", "builtin")
    assert done.status == 2
    assert "builtin has no RESTORE: name another server by --subject" in done.stderr
    with SUITE.opened(["fuzz_query_parser", "fuzz_restore"], {"subject": "builtin"}, lambda progress: None) as opened:
        skipped = opened.kinds[1].run(Tape.of(()))
    assert skipped == Outcome(Verdict.SKIPPED, message="builtin has no RESTORE")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-t", "config", "--subject", "redis"], "--subject is the server of command_handler and restore"),
        (["-t", "restore", "--subject", "127.0.0.1:6379"], "so it is one that loadgen starts: redis, valkey,"),
    ],
)
def test_a_subject_that_is_no_server_to_fuzz_is_one_sentence(words: list[str], sentence: str) -> None:
    done = invoked("fuzz", *words)
    assert done.status == 2
    assert sentence in done.stderr
