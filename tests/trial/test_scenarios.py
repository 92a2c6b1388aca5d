"""Scenarios: those of the catalogue, and the problems that a user's own file may have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from places import PACKAGE

from loadgen.config import catalogue, scenario_file
from loadgen.errors import ConfigError, UsageError
from loadgen.faults.fault import Fault, Layer
from loadgen.faults.kinds import KINDS, Need
from loadgen.trial.observed import ERRORS
from loadgen.trial.scenario import QUICK_LEAST_NS, Scenario

S = 1_000_000_000

ISSUE = [
    "brief-packet-drop",
    "total-packet-drop",
    "latency",
    "latency-200ms-100ms",
    "latency-200ms-1s",
    "latency-200ms-5s",
    "latency-200ms-10s",
    "latency-200ms-40s",
    "latency-200ms-2m",
    "jitter",
    "bandwidth",
    "slow-close",
    "slicer",
    "limit-data",
    "reset-peer",
    "stalled-connections-2-pct",
    "stalled-connections-5-pct",
    "stalled-connections-10-pct",
    "stalled-connections-20-pct",
    "stalled-connections-50-pct",
    "stalled-connections-100-pct",
    "packet-loss",
    "packet-loss-1-pct",
    "packet-loss-2-pct",
    "packet-loss-5-pct",
    "packet-loss-10-pct",
    "packet-loss-20-pct",
    "packet-loss-25-pct",
    "packet-loss-50-pct",
    "packet-loss-100-pct",
    "burst-loss",
    "reorder",
    "duplicate",
    "delay-100ms",
    "delay-500ms",
    "delay-1000ms",
    "one-way-loss",
    "black-hole-50ms",
    "black-hole-1s",
    "black-hole-10s",
    "syn-drop",
    "refuse",
    "rst",
    "throttle-1mbit",
    "link-flap",
    "kill-1-of-3",
    "kill-2-of-3",
    "kill-3-of-3",
    "rolling",
    "flapping",
    "pause-1-of-3",
    "cpu-starved",
    "oom-killed",
    "restart-empty",
    "fd-limit",
    "disk-full",
    "read-only",
    "slow-fsync",
    "power-cut",
    "torn-tail",
    "bit-flip",
    "pool-exhaustion",
    "breaker-partial",
    "stampede",
    "hot-keys",
    "split-brain",
    "recovery-under-load",
    "chaos-monkey",
    "connect-timeout",
    "single-node-failure",
    "majority-node-failure",
    "complete-failure",
    "flapping-node",
    "concurrency-latency",
    "exhaustion-node-failure",
    "breaker-partial-outage",
]


def test_every_name_of_the_issue_is_a_scenario() -> None:
    assert set(ISSUE) - set(catalogue.entries()) == set()


@pytest.mark.parametrize("name", catalogue.entries())
def test_a_scenario_of_the_catalogue_is_whole(name: str) -> None:
    """Its text is commented, and reads as the scenario of its name once its number is filled in."""
    entry = catalogue.entries()[name]
    scenario = catalogue.scenario(name)
    assert entry.text.startswith("# ")
    assert "{N}" not in entry.text
    assert scenario.title
    assert not scenario.title.endswith(".")
    assert scenario.faults or scenario.draws
    assert set(scenario.expects) <= set(ERRORS)
    for fault in scenario.faults:
        assert KINDS[fault.kind].layer is fault.layer
        assert set(fault.parameters) == {parameter.name for parameter in KINDS[fault.kind].parameters}
        assert fault.at_ns < scenario.phases.fault_ns


@pytest.mark.parametrize("name", catalogue.entries())
def test_quick_shortens_the_fault_phase_to_a_quarter_and_keeps_every_fault_in_it(name: str) -> None:
    scenario = catalogue.scenario(name)
    quick = scenario.quick()
    assert quick.phases.fault_ns == max(QUICK_LEAST_NS, scenario.phases.fault_ns // 4)
    assert (quick.phases.baseline_ns, quick.phases.recovery_ns) == (5 * S, 10 * S)
    # A fault may end late: a server that was killed has to start.
    assert quick.limits.recovery_ns + S < quick.phases.recovery_ns
    for fault in quick.faults:
        assert fault.at_ns < quick.phases.fault_ns
        assert fault.every_ns == 0 or fault.every_ns > fault.for_ns


@pytest.mark.parametrize("name", catalogue.entries())
def test_a_shorter_fault_phase_has_every_fault_on_every_node_and_a_longer_one_changes_none(name: str) -> None:
    scenario = catalogue.scenario(name)
    shorter, longer = scenario.lasting(2 * S), scenario.lasting(2 * scenario.phases.fault_ns)
    assert (shorter.phases.fault_ns, longer.phases.fault_ns) == (2 * S, 2 * scenario.phases.fault_ns)
    assert longer.faults == scenario.faults
    for fault in shorter.faults:
        assert fault.at_ns + (len(fault.on) - 1) * fault.stagger_ns < 2 * S


def test_packet_loss_is_always_loss_in_the_network_and_stalled_connections_never_are() -> None:
    for name in catalogue.entries():
        kinds = {(fault.kind, fault.layer) for fault in catalogue.scenario(name).faults}
        if catalogue.entry(name).file.stem.startswith("packet-loss"):
            assert kinds == {("loss", Layer.NET)}
        if name.startswith("stalled-connections"):
            # Connections are cut so that there are new ones, of which some stall.
            assert kinds == {("bandwidth", Layer.PROXY), ("cut", Layer.PROXY)}


def test_the_number_of_a_name_is_the_fault_s() -> None:
    assert [catalogue.scenario(f"packet-loss-{n}-pct").faults[0].parameters["probability"] for n in (1, 25)] == [
        0.01,
        0.25,
    ]
    assert catalogue.scenario("delay-500ms").faults[0].parameters["delay"] == 500_000_000
    assert catalogue.scenario("black-hole-1s").faults[0].for_ns == S


def test_two_names_of_one_scenario_differ_in_the_name_only() -> None:
    for second, first in {"connect-timeout": "syn-drop", "packet-loss": "packet-loss-5-pct"}.items():
        assert catalogue.entry(second).same_as == first
        assert catalogue.entry(second).text == catalogue.entry(first).text
        assert catalogue.scenario(second) == replace(catalogue.scenario(first), name=second)
    once = [*catalogue.scenarios()]
    assert {*catalogue.entries()} - {*once} == {"connect-timeout", "packet-loss"}


def test_no_two_scenarios_have_the_same_faults() -> None:
    seen: dict[str, str] = {}
    for name in catalogue.scenarios():
        of = catalogue.scenario(name)
        what = repr(replace(of, name="", title="", upstream="", expects=()))
        assert what not in seen, f"{name} and {seen[what]}"
        seen[what] = name


def test_hyphen_and_underscore_are_one() -> None:
    assert catalogue.entry("kill_1_of_3") == catalogue.entry("kill-1-of-3")


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UsageError, match=r'no scenario and no file "kill-1-of-4"; did you mean kill-1-of-3\?'):
        catalogue.scenario("kill-1-of-4")
    with pytest.raises(UsageError, match=r"--list` names"):
        catalogue.scenario("zzzz")


def test_what_a_scenario_needs_is_known_before_it_runs() -> None:
    assert Need.NETNS in catalogue.scenario("packet-loss").needs
    assert catalogue.scenario("kill-1-of-3").needs == ()
    assert Need.PRELOAD in catalogue.scenario("power-cut").needs


MINIMAL = 'title = "nothing"\n'


def test_a_copied_scenario_is_the_same_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(catalogue.entry("packet-loss-10-pct").text)
    shipped, mine = catalogue.scenario("packet-loss-10-pct"), catalogue.scenario(str(path))
    assert mine.name == "mine"
    assert (mine.faults, mine.phases, mine.expects) == (shipped.faults, shipped.phases, shipped.expects)


def test_set_wins_over_the_file() -> None:
    scenario = catalogue.scenario(
        "kill-1-of-3", ["phases.fault=3s", "client.max_size=7", "rate=50", "limits.recovery=4s"]
    )
    assert scenario.phases.fault_ns == 3 * S
    assert scenario.client == {"max_size": 7}
    assert (scenario.rate_per_s, scenario.limits.recovery_ns) == (50, 4 * S)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", r"title is missing"),
        ('title = " "\n', r"mine.toml:1:1: title: must not be empty"),
        (MINIMAL + "protocl = 'any'\n", r"mine.toml:2:1: protocl: unknown key; did you mean protocol\?"),
        (MINIMAL + "protocol = 'redis'\n", r"mine.toml:2:1: protocol: must be one of memcache, resp, any"),
        (MINIMAL + "timeout = 'soon'\n", r'timeout: "soon" is not a duration'),
        (MINIMAL + "nodes = 99\n", r"nodes: must be from 1 to 16, not 99"),
        (MINIMAL + "draws = 'kill'\n", r"draws: must be a list of kinds of faults, such as"),
        (MINIMAL + "draws = ['kil']\n", r"draws: must be one of .* did you mean kill\?"),
        (MINIMAL + "expects = ['timeouts']\n", r"expects: must be one of timeout.* did you mean timeout\?"),
        (MINIMAL + "[phases]\nfault = 0\n", r"mine.toml:3:1: phases.fault: must be longer than 0"),
        (MINIMAL + "[[fault]]\non = 1\n", r"mine.toml:2:3: fault\[0\].kind: is missing from \[\[fault\]\]"),
        (MINIMAL + "[[fault]]\nkind = 'lose'\n", r'mine.toml:3:1: .*no kind of fault "lose"; did you mean "loss"\?'),
        (MINIMAL + "[[fault]]\nkind = 'kill'\non = 4\n", r"mine.toml:4:1: .*there is no node 4; the nodes are 1 to 3"),
        (MINIMAL + "[[fault]]\nkind = 'kill'\nlayer = 'net'\n", r"is a fault of the process layer"),
        (MINIMAL + "[[fault]]\nkind = 'loss'\nprobability = '200%'\n", r"probability: is not a share"),
        (MINIMAL + "[[fault]]\nkind = 'loss'\nprobabilty = 0.1\n", r"unknown key; did you mean probability\?"),
        (MINIMAL + "[[fault]]\nkind = 'kill'\ntimes = 3\n", r"takes a time between two beginnings"),
        (MINIMAL + "[[fault]]\nkind = 'kill'\nat = '5m'\n", r"begins after the end of the fault phase"),
        (MINIMAL + "[[fault]]\nkind = 'down'\ngroup = 2\n", r"write groups = 2 above the tables"),
        (MINIMAL + "[[fault]]\nkind = 'slicer'\naverage_size = 0\n", r"must be at least 1 for slicer, not 0"),
        (MINIMAL + "fault = 3\n", r"must be a list of tables; write \[\[fault\]\]"),
        (MINIMAL + "[client]\npool = []\n", r"client.pool: must be a number, text, true or false"),
        ("title = \n", r"mine.toml:1:9: is not valid TOML"),
    ],
)
def test_a_bad_file_is_named_with_the_place_and_the_remedy(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        scenario_file.scenario_of(text, "mine", "mine.toml")


def test_every_problem_of_a_file_is_reported_at_once() -> None:
    text = MINIMAL + "nodes = 0\n[limits]\nhealthy = 2\n[[fault]]\nkind = 'nope'\n"
    with pytest.raises(ConfigError) as caught:
        scenario_file.scenario_of(text, "mine", "mine.toml", ["rate"])
    assert len(caught.value.problems) == 4


MONITORED = """title = "a"
[[monitor]]
kind = "proc"
[[monitor]]
kind = "redis"
name = "cache"
server = "127.0.0.1:6380"
[[check]]
expr = "max(fds) < 9 and growth(used_memory[cache]) < 1MB/min and gaps == 0"
"""


def test_a_scenario_has_monitors_whose_series_are_names_of_its_checks() -> None:
    scenario = scenario_file.scenario_of(MONITORED, "a", "a.toml")
    assert [(each.kind, each.name) for each in scenario.monitors] == [("proc", "proc"), ("redis", "cache")]
    assert str(scenario.monitors[1].server.endpoints[0]) == "127.0.0.1:6380"  # type: ignore[union-attr]
    with pytest.raises(ConfigError) as raised:
        scenario_file.scenario_of(
            MONITORED.replace('"cache"', '"fault"').replace("max(fds)", "max(fdss)").replace("[cache]", ""),
            "a",
            "a.toml",
        )
    assert [problem.partition(": ")[2] for problem in raised.value.problems] == [
        'monitor[1]: "fault" is another monitor, or selects something else in checks; give this one another name, such '
        'as name = "fault_2"',
        "check[0].expr: column 5: there is no fdss here; did you mean fds?",
    ]


def test_a_group_s_view_of_a_node_has_a_number_after_the_other_group_s() -> None:
    scenario = catalogue.scenario("split-brain")
    assert [fault.on for fault in scenario.faults] == [(1,), (5,)]


def test_a_short_spell_keeps_its_length_in_quick() -> None:
    fault = Fault("black_hole", Layer.NET, for_ns=S // 20, every_ns=20 * S, times=3)
    [quick] = Scenario("s", "s", faults=(fault,)).quick().faults
    assert quick.for_ns == S // 20
    assert quick.every_ns < fault.every_ns


def test_every_file_of_the_catalogue_is_packed() -> None:
    assert catalogue.FOLDER == PACKAGE / "trial" / "scenarios"
