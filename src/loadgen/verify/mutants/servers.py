"""Mutants of the server: the built-in server in a world, with replies that are changed on their way."""

from __future__ import annotations

from loadgen.verify.mutants import lies
from loadgen.verify.mutants.lies import Lie
from loadgen.verify.mutants.mutant import Mutant, Where

CONTENTION = "engine_write_contention"


def _row(name: str, breaks: str, lie: type[Lie], kind: str = CONTENTION) -> Mutant:
    return Mutant(name, breaks, Where.SERVER, kind, lies.patches(lie))


MUTANTS = (
    _row("stale read", "a read soon after a write is answered with the value before it", lies.StaleRead),
    _row("lost write", "a write is acknowledged, and not carried out", lies.LostWrite),
    _row("lost acknowledgement", "a write is carried out, and its reply is never sent", lies.LostAcknowledgement),
    _row("revived value", "a value that was deleted and then missed is read again", lies.RevivedValue),
    _row("reply off by one", "of reads that come together, each is answered with the next one's reply", lies.OffByOne),
    _row("reply twice", "a reply is sent twice", lies.Twice),
    _row("torn write accepted", "a write that comes in two pieces is stored as far as the first", lies.TornWrite),
)
