"""One load, put on from a program: `run`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from loadgen.events import Event, Result
from loadgen.library.plan import Plan
from loadgen.runner import beside
from loadgen.runner.run import Run
from loadgen.runner.stop import NEVER, Stop
from loadgen.runner.timeline import At


def run(
    plan: Plan,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
    stop: Stop = NEVER,
    timeline: Iterable[At] = (),
) -> Result:
    """Put the plan's load on its server, and return the Result. Works in any thread.

    `on_event` receives every event on the way, and last the Result. When `stop` is set, from any thread, the load ends,
    and the Result has what was measured so far, with `interrupted` set. The actions of `timeline` run at their times.

    Requests that fail, or a generator that was late, raise no error: the Result reports them (`valid`,
    `failed_because`, `invalid_because`). Raises TargetError when there is no server to measure, WorkerError when the
    load's own processes cannot run, FaultError when a fault of the plan cannot be carried out here.
    """
    with plan.up() as loading, beside.opened(loading.monitors, loading.plan.target, loading.server) as board:
        result = Run(
            loading.plan,
            on_event,
            judging=loading.judging,
            embedded=plan.server is not None and plan.server.is_builtin,
            server=loading.server,
            operator=loading.operator,
            board=board,
            notes=loading.notes,
            stop=stop,
            timeline=timeline,
        ).result()
    on_event(result)
    return result
