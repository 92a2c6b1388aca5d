"""A recorded soak as it ended: its own verdict, or for one that was killed the judgement of what there is."""

from __future__ import annotations

from dataclasses import replace

from loadgen.errors import UsageError
from loadgen.escape import printable
from loadgen.reason import Code, Reason
from loadgen.soak import written
from loadgen.soak.ended import SoakEnded
from loadgen.soak.folder import RESULT, KeptRun
from loadgen.soak.replay import Replay


def recalled(run: KeptRun, version: str) -> SoakEnded:
    """Return the end of the soak in a run folder. `version` is that of who judges a soak without a result.

    Raises UsageError when the folder is not as a soak writes it.
    """
    replay = Replay(run)
    if run.result is None:
        return replace(replay.ended(version), wall_s=_last_sign_s(run, replay.began_wall_s), replayed=False)
    asked, result = replay.asked, run.result
    for event in run.events:
        if event.get("type") == "extended":
            asked = replace(asked, schedule=asked.schedule.extended(float(event["duration_s"])))
    try:
        return SoakEnded(
            asked,
            written.found_of(result["found"]),
            written.end_of(result["end"]),
            written.verdict_of(result["judged"]),
            str(result["version"]),
            str(result["host"]),
            str(result["target"]),
            str(run.path),
            replay.began_wall_s,
            tuple(Reason(Code(note["code"]), str(note["words"])) for note in result["notes"]),
            wall_s=float(result["wall_s"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = printable(f"{type(error).__name__}: {error}", 80)
        raise UsageError(f"{printable(str(run.path))}/{RESULT}: is not what a soak writes ({what}).") from None


def _last_sign_s(run: KeptRun, began_s: float) -> float:
    """Return when the soak was last seen alive, in Unix time."""
    beat = run.heartbeat or {}
    seen = [event.get("wall_s") for event in run.events] + [beat.get("wall_s")]
    return max([began_s, *(float(each) for each in seen if isinstance(each, int | float))])
