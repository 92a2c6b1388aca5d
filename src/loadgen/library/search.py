"""The highest rate of a server, searched from a program: `search`."""

from __future__ import annotations

from collections.abc import Callable

from loadgen import config
from loadgen.events import Event, SearchEnded
from loadgen.library.plan import Plan
from loadgen.runner import beside
from loadgen.runner.search import Saturation
from loadgen.runner.stop import NEVER, Stop

SEARCH = "workload.saturation_search"


def search(
    plan: Plan,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
    stop: Stop = NEVER,
    **limits: object,
) -> SearchEnded:
    """Search for the highest rate at which the plan's server meets `limits`, such as `p99="1ms"`.

    Without limits, the rate has to meet the plan's `slo`; without an `slo`, the search is for the knee of the latency.
    The keys of `workload.saturation_search` in the plan's `settings` configure the search. `on_event` receives every
    event on the way, and last the SearchEnded. When `stop` is set, the search ends without an answer.

    Raises ConfigError for limits that are wrong, and TargetError and WorkerError as `run` does.
    """
    if limits:
        plan = plan.replace(settings={**plan.settings, f"{SEARCH}.slo": limits})
    settings = config.search_settings(plan.config)
    with plan.up() as loading, beside.opened(loading.monitors, loading.plan.target, loading.server) as board:
        ended = Saturation(
            loading.plan,
            settings,
            on_event,
            judging=loading.judging,
            embedded=plan.server is not None and plan.server.is_builtin,
            server=loading.server,
            board=board,
            stop=stop,
        ).result()
    on_event(ended)
    return ended
