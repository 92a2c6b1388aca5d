"""Put a steady load on a server for a long time, beside monitors: does it leak, does it drift, is it still healthy?

After settling there is a baseline, then a line for each checkpoint, and at the end the verdict: PASS (0), FAIL (1) or
CAN'T TELL (4). Growth is graded by bands, and judged by intervals that do not cry wolf. Without a server named,
redis-server (or valkey-server, or the built-in server; memcached for memcache) is started; without CONFIG the load is
GETs and SETs of 10,000 keys. Everything is in a run folder as it happens, which --replay judges again.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from loadgen import output
from loadgen.cli import against, interrupts, session, soaks, verification
from loadgen.cli.emitted import Emitted
from loadgen.cli.flags import flags_of
from loadgen.cli.options import Given, Option, OptionGroup, Syntax
from loadgen.cli.options.kind import COUNT, FOLDER, TEXT, TIME_NS, choice
from loadgen.cli.options.load import ANY_KEY, CONFIG, CONVERSATION, GENERATOR, KEYS, LOAD, TARGET
from loadgen.cli.options.verification import RESULTS
from loadgen.config import judging
from loadgen.errors import ExitCode, UsageError
from loadgen.host import machine
from loadgen.monitors import board as boards
from loadgen.monitors.monitor import UnderLoad
from loadgen.reason import Reason
from loadgen.runner.discovery import placed
from loadgen.runner.stop import Stop
from loadgen.soak import folder
from loadgen.soak.ended import SoakBaseline, SoakCheckpoint
from loadgen.soak.folder import RunFolder
from loadgen.soak.go import Go
from loadgen.soak.journal import Journal
from loadgen.soak.leader import Soak, Wanted
from loadgen.soak.replay import Replay
from loadgen.target.servers import servers_of
from loadgen.target.talk.identity import identify
from loadgen.version import __version__

SYNTAX = Syntax(
    (
        OptionGroup(
            "soak",
            (
                Option(("--checkpoints",), "checkpoints, the last at the end (default: 15, and one each 2 min in a "
                       "soak of more than half an hour)", COUNT),
                Option(("--interval",), "time between two checkpoints, instead of their number, such as 2m", TIME_NS),
                Option(("--every",), "time between two samples (default: 1s)", TIME_NS, default=1_000_000_000),
                Option(("--settle",), "time under load before the baseline, beside the duration (default: a tenth of "
                       "it, 30s at most)", TIME_NS),
                Option(("--at-most",), "extend the soak up to this while growth cannot be told", TIME_NS),
                Option(("--closed",), "keep the load a closed loop; without it, and without a rate, the rate is 30 % "
                       "of what settling reaches"),
                Option(("--compress",), "wear faster: replace all connections N times between two checkpoints, and "
                       "divide the keys' time to live by N (default: 1, not at all)", COUNT, default=1),
                Option(("--run-folder",), "folder for everything as it happens (default: soak-DATE-TIME)", FOLDER),
                Option(("--against",), "judge what this soak grows beyond another under the same load: an earlier one, "
                       "by its run folder, or a second server, host:port or as --server, at the same time", TEXT,
                       "RUN or SERVER"),
                Option(("--replay",), "judge the soak in this run folder again, and put no load on", FOLDER),
            ),
        ),
        OptionGroup(
            "go and no-go",
            (
                Option(("--go",), "pause the load while this URL says no-go: False, 503, or JSON with go = false; the "
                       "time is in no judgement", TEXT, "URL"),
                Option(("--on-no-go",), "what a no-go leads to", choice(("pause", "stop")), default="pause"),
                Option(("--serve-go",), "serve this soak's own signal, at / (True or False) and /state (JSON)", TEXT,
                       "[HOST:]PORT"),
            ),
        ),
        TARGET,
        CONVERSATION,
        LOAD.without("--requests", "--tests", "--warmup"),
        KEYS,
        GENERATOR,
        RESULTS,
        ANY_KEY,
    ),
    (CONFIG,),
    without_file=soaks.WITHOUT_FILE,
    own_defaults=soaks.OWN_DEFAULTS,
)  # fmt: skip


def run(given: Given) -> ExitCode:
    """Soak, or judge a recorded soak, and return the exit code of the verdict. Raises LoadgenError."""
    if given.replay is not None:
        return replay(given)
    if not given.compress:
        raise UsageError("--compress is how many times faster connections and keys wear, from 1.")
    if given.on_no_go == "stop" and given.go is None:
        raise UsageError("--on-no-go says what the signal of --go leads to: name its URL by --go.")
    asked_for = soaks.soaked(given)
    for warning in asked_for.settings.warnings:
        output.remark(f"warning: {warning}")
    other = against.named(given.against, asked_for.plan) if given.against is not None else None
    held, notes = against.earlier(given.against) if given.against is not None and other is None else (None, ())
    stop = Stop()
    with contextlib.ExitStack() as stack:
        outputs = stack.enter_context(output.opened(verification.wanted(given)))
        stack.enter_context(interrupts.caught(stop))
        up = stack.enter_context(servers_of(asked_for.plan.target, asked_for.server).up(outputs.emit))
        plan = placed(asked_for.plan.at(*up.endpoints))
        server = up.server
        under = UnderLoad(plan.target, (lambda: server.pid) if server is not None else None)
        board = stack.enter_context(boards.opened(asked_for.monitors, under))
        soaks.first_look(board)
        if asked_for.listener:
            output.remark(f"loadgen: proc reads {asked_for.listener}, which listens at {plan.target.endpoints[0]}")
        asked = soaks.asked_of(given, asked_for, board.series)
        go = stack.enter_context(Go(given.go or "", soaks.served_at(given.serve_go)))
        if go.url:
            output.remark(f"loadgen: the go/no-go signal of this soak is at {go.url}")
        target = ", ".join(filter(None, [identify(plan.target), " ".join(map(str, plan.target.endpoints))]))
        emitted = Emitted(outputs.emit)
        stack.callback(emitted.close)
        host, judged = machine.fingerprint(), judging(asked_for.settings)
        peer = None
        if other is not None:
            peer = stack.enter_context(
                against.up(other, asked_for, asked, emitted.emit, judging=judged, stop=stop, host=host)
            )
            held, notes = peer.journal, (against.remark(target, peer.target),)

        def in_words(rate_per_s: float) -> str:
            beside = f", and at the same time on {peer.target}" if peer is not None else ""
            return f"{soaks.load_in_words(plan, rate_per_s)}{beside}"

        def open_folder(started_s: float) -> RunFolder:
            words = in_words(plan.load.rate_per_s)
            run = soaks.run_of(
                asked_for.settings, asked, started_s, version=__version__, host=host, target=target, load=words
            )
            kept = RunFolder(asked_for.folder, run)
            emitted.log_to(kept)
            return kept

        soak = Soak(
            plan,
            asked,
            Wanted(given.closed, given.on_no_go == "stop"),
            emitted.emit,
            board=board,
            open_folder=open_folder,
            judging=judged,
            server=server,
            stop=stop,
            go=go,
            against=held,
            notes=notes,
            peer=peer,
            version=__version__,
            host=host,
            target=target,
        )
        ended = soak.ended(in_words)
        emitted.emit(ended)
    return ended.exit_code


def replay(given: Given) -> ExitCode:
    """Judge a recorded soak again, by its own bands and checks, or by those of CONFIG. Raises UsageError."""
    acted_on = {"replay", "against", *(option.name for option in RESULTS.options)} | (
        {"set"} if given.config else set()
    )
    for word in given.words:
        if word.option.name not in acted_on:
            raise UsageError(f"{word.spelling} is not acted on by soak --replay, which puts no load on: leave it out.")
    held, notes = _held_against(given)
    recorded = Replay(folder.read(given.replay), against=held)
    if given.config is not None:
        settings = session.settings_of(given, flags_of(given))
        recorded = Replay(
            folder.read(given.replay),
            bands=soaks.bands_of(settings),
            checks=soaks.checks_of(settings, recorded.asked),
            against=held,
        )
    with output.opened(verification.wanted(given)) as outputs:
        journal = recorded.journal
        outputs.emit(SoakBaseline(recorded.asked, journal.found.bases))
        for at in journal.found.checkpoints:
            outputs.emit(SoakCheckpoint(recorded.asked, at, recorded.began_wall_s + at.t_s))
        ended = recorded.ended(__version__, notes)
        outputs.emit(ended)
    return ended.exit_code


def _held_against(given: Given) -> tuple[Journal | None, tuple[Reason, ...]]:
    """Return the journal of the soak that a recorded one is held against, and the remark on it; None without one."""
    beside = Path(given.replay) / against.FOLDER
    if given.against is not None:
        return against.earlier(given.against)
    return against.earlier(str(beside)) if (beside / folder.RUN).exists() else (None, ())
