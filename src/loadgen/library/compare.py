"""A comparison of two servers, from a program: `compare`."""

from __future__ import annotations

import os
from collections.abc import Callable

from loadgen import config
from loadgen.compare.answers import Compared
from loadgen.compare.comparison import Comparison, contestant
from loadgen.compare.rounds import Contestant
from loadgen.events import Event
from loadgen.library.plan import Plan
from loadgen.library.server import Server
from loadgen.runner.stop import NEVER, Stop


def compare(
    a: str | Server,
    b: str | Server,
    plan: Plan,
    *,
    rounds: int | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    stop: Stop = NEVER,
) -> Compared:
    """Compare two servers under the plan's load, in rounds of short slices: which is better at what, and by how much.

    `a` and `b` are addresses or Servers. A Server is started anew for every round unless it runs within `with`.
    `rounds` is the most rounds. It and the rules for rounds are keys of `compare` in the plan's `settings`, such as
    `{"compare.slice": "500ms"}`. Latency is compared at the plan's rate, or without one at a share of `a`'s capacity.
    The plan's target, lengths and objectives are not used. Give load and servers CPUs of their own (`cpu_list`):
    processes that share a CPU wait for it.

    `on_event` receives progress and rounds, and last the Compared. When `stop` is set, the answers are those of the
    rounds that had ended. `workload.history` in the plan's settings is a folder, for a history of each server and
    round. Raises UsageError for settings that allow no answer. A server that cannot be measured is the Compared's
    `failure`.
    """
    if rounds is not None:
        plan = plan.replace(settings={**plan.settings, "compare.rounds": rounds})
    if plan.config.general.seed is None:
        # One seed, so that both servers receive the same requests.
        plan = plan.replace(seed=int.from_bytes(os.urandom(6)))
    seed = plan.config.general.seed
    assert seed is not None, "it was given or drawn"
    found = [_contestant(each, plan) for each in (a, b)]
    [compared] = Comparison(found, config.compare_settings(plan.config), seed).run(on_event, stop=stop)
    return compared


def _contestant(each: str | Server, plan: Plan) -> Contestant:
    if isinstance(each, Server) and each.is_running:
        each = each.endpoint
    settings = plan.replace(target=each).config
    told, limits = config.contested(settings)
    return contestant(told, each.plan if isinstance(each, Server) else None, limits, config.monitors(settings))
