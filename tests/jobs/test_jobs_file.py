"""Files of tests of jobs: what they come to, each problem with its place, and the presets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from places import ROOT

from loadgen.config import jobs_file, jobs_presets
from loadgen.config.jobs_file import Overrides
from loadgen.errors import ConfigError, UsageError
from loadgen.faults.fault import Layer
from loadgen.jobs.backoff import Backoff, Growth
from loadgen.jobs.load.checks import NAMES
from loadgen.jobs.load.plan import Chains, JobsPlan, Kind, Publishing, QueueSettings, Scheduling
from loadgen.jobs.load.work import Act
from loadgen.judge.check import Level
from loadgen.monitors.plan import MonitorPlan

MS, S = 1_000_000, 1_000_000_000

WHOLE = """
title = "everything"
patience = "20s"
seed = 7

[queue]
adapter = "streams"
storage = "redis://h:1/2"
name = "q"
lease = "3s"
sweep = "500ms"
max_deliveries = 4
result_ttl = "0s"
renews = false

[terms]
max_attempts = 5
timeout = "9s"
backoff = "linear"
initial = "100ms"
max = "2s"
jitter = "20%"

[workers]
count = 3
concurrency = 2

[publish]
producers = 2
concurrency = 4
batch = 5
submissions = 3

[[jobs]]
jobs = 10
work = "5ms"
busy = true
fail_p = 0.5
act = "raise"
payload = "1KB"

[[jobs]]
jobs = 20

[chains]
workflows = 4
steps = 2
work = "1ms"
concurrency = 3

[schedules]
schedules = 5
attempts = 2
updates = 6
operations = 7
removes = false
cron = "0 * * * *"
zone = "Europe/Berlin"
fires = "3s"
concurrency = 8

[[fault]]
kind = "kill"
workers = [1, 2]
at = "30%"
for = "1s"

[[fault]]
kind = "latency"
at = "2s"
delay = "5ms"
seed = 3

[[monitor]]
kind = "redis"
name = "store"
every = "200ms"

[[check]]
expr = "lost == 0"
level = "nice"
"""


def plan_of(text: str, **flags: object) -> JobsPlan:
    given = {f"--{name.replace('_', '-')}": value for name, value in flags.items()}
    return jobs_file.case_of(text, "test", "test.toml", Overrides(given)).plan


def problems(text: str, *sets: str, **flags: object) -> list[str]:
    given = {f"--{name.replace('_', '-')}": value for name, value in flags.items()}
    with pytest.raises(ConfigError) as caught:
        jobs_file.case_of(text, "test", "test.toml", Overrides(given, sets))
    return caught.value.problems


def test_every_key_comes_to_its_field() -> None:
    plan = plan_of(WHOLE)
    assert (plan.name, plan.title, plan.patience_ns, plan.seed) == ("test", "everything", 20 * S, 7)
    assert (plan.adapter, plan.storage, plan.queue_name, plan.renews) == ("streams", "redis://h:1/2", "q", False)
    assert plan.queue == QueueSettings(3 * S, 500 * MS, 4, "", 0)
    assert (plan.terms.max_attempts, plan.terms.timeout_ns) == (5, 9 * S)
    assert plan.terms.backoff == Backoff(Growth.LINEAR, 100 * MS, 2 * S, 0.2)
    assert (plan.workers, plan.concurrency) == (3, 2)
    kinds = (Kind(10, 5 * MS, True, 0.5, Act.RAISE, 1000), Kind(20))
    assert plan.publishing == Publishing(kinds, 2, 4, 5, 0.0, 3)
    assert plan.chains == Chains(4, 2, 1 * MS, 3)
    assert plan.scheduling == Scheduling(5, 2, 6, 7, False, "0 * * * *", "Europe/Berlin", 3 * S, 8)
    kill, latency = plan.faults
    assert (kill.on_workers, kill.at_share, kill.fault.on, kill.fault.at_ns) == (True, 0.3, (1, 2), 0)
    assert (latency.on_workers, latency.at_share, latency.fault.layer) == (False, None, Layer.PROXY)
    assert (latency.fault.at_ns, latency.fault.seed, latency.fault.parameters["delay"]) == (2 * S, 3, 5 * MS)
    assert kill.fault.seed != 0
    assert [(check.expr, check.level) for check in plan.checks] == [("lost == 0", Level.NICE)]
    assert plan.monitors == (MonitorPlan("redis", "store", every_ns=200 * MS),)
    assert plan.shows_monitors
    assert plan.jobs == 38


def test_the_least_file_has_every_default() -> None:
    plan = plan_of("[[jobs]]\njobs = 1")
    assert plan == JobsPlan("test", "test", publishing=Publishing((Kind(1),)), monitors=(MonitorPlan("host", "host"),))


def test_without_monitors_the_host_and_the_storages_server_are_read() -> None:
    assert [each.name for each in plan_of(ONE, storage="redis://h").monitors] == ["host", "redis"]
    assert [each.name for each in plan_of(ONE, adapter="rq").monitors] == ["host", "redis"]
    own = "[[monitor]]\nkind = 'command'\ncommand = ['true']\n"
    assert [each.name for each in plan_of(own + ONE, adapter="rq").monitors] == ["command"]


def test_monitors_are_shown_where_the_file_or_a_check_asks_for_them() -> None:
    assert not plan_of(ONE + "[[check]]\nexpr = 'growth(storage) < 1MB/min'").shows_monitors
    assert plan_of(ONE + "[[monitor]]\nkind = 'host'").shows_monitors
    for expr in ("max(load) < 100", "gaps[host] == 0", "lost == 0 and restarts == 0"):
        assert plan_of(ONE + f"[[check]]\nexpr = '{expr}'").shows_monitors, expr


def test_a_baseline_is_the_same_test_with_other_numbers_and_without_checks_and_faults() -> None:
    text = """
[[jobs]]
jobs = 900
[[jobs]]
jobs = 100
[workers]
count = 10
[baseline]
jobs = 100
workers = 1
[[check]]
expr = "throughput > baseline_throughput"
"""
    case = jobs_file.case_of(text, "test", "test.toml")
    assert case.baseline is not None
    assert [kind.jobs for kind in case.baseline.publishing.kinds] == [90, 10]
    assert (case.baseline.workers, case.baseline.checks, case.plan.workers) == (1, (), 10)


def test_settings_are_those_of_a_library() -> None:
    plan = plan_of(
        '[queue]\nadapter = "celery"\n[settings]\nvisibility_timeout = 5\nacks_late = true\n[[jobs]]\njobs = 1'
    )
    assert plan.settings == (("visibility_timeout", 5), ("acks_late", True))


ONE = "[[jobs]]\njobs = 1000\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "test.toml: there is nothing to do; add [[jobs]] with jobs = 1000, [chains] or [schedules]"),
        ("[[jobs]]\njobs = 0", "test.toml:2:1: jobs[0].jobs: must be from 1 to 10,000,000, not 0"),
        ("[[jobs]]\nwork = '1ms'", "test.toml:1:3: jobs[0]: jobs is missing; add it"),
        (ONE + "wrok = '1ms'", "test.toml:3:1: jobs[0].wrok: unknown key; did you mean work?"),
        ("jobs = 5", "test.toml:1:1: jobs: must be a list of tables; write [[jobs]] above the keys of each"),
        ("tite = 'x'\n" + ONE, "test.toml:1:1: tite: unknown key; did you mean title?"),
        (
            ONE + "fail_p = 2",
            'test.toml:3:1: jobs[0].fail_p: 2 is no share; write one from 0 to 1, such as 0.05 or "5%"',
        ),
        (ONE + "act = 'hangs'", "did you mean hang?"),
        (ONE + "busy = 1", "jobs[0].busy: must be true or false, not 1"),
        (ONE + "payload = '1GB'", "jobs[0].payload: must be at most 16 MiB"),
        (ONE + "[queue]\nadapter = 'celry'", 'not "celry"; did you mean celery?'),
        (ONE + "[queue]\nstorage = 'mysql://x'", "mysql://x is no storage that is known here; those are sqlite://"),
        (ONE + "[queue]\nlease = '0s'", "queue.lease: must be longer than 0"),
        (
            ONE + "[queue]\nstorage = 'redis://h'",
            "the adapter sqlite keeps its jobs in a file of SQLite, and redis://h",
        ),
        (
            ONE + "[queue]\nadapter = 'rq'\nstorage = 'sqlite://./x.db'",
            "test.toml:5:1: queue.storage: the adapter rq keeps its jobs in Redis, and sqlite://./x.db is a file of",
        ),
        (ONE + "[queue]\ndurability = 'always'", "must be one of full, normal with sqlite, not always"),
        (ONE + "[queue]\nadapter = 'lists'\ndurability = 'full'", "must be one of always, everysec, none with lists"),
        (
            ONE + "[queue]\nadapter = 'lists'\ndurability = 'none'\nstorage = 'redis://h'",
            "queue.durability: is set in a Redis that loadgen starts",
        ),
        (ONE + "[queue]\nsweep = '9s'", "queue.sweep: is the time between two sweeps, and longer than the lease"),
        (ONE + "[queue]\nadapter = 'rq'\nsweep = '1s'", "queue.sweep: is a setting of loadgen's own queues"),
        (ONE + "[settings]\nx = 1", "settings: are those of a library, and sqlite is a queue of loadgen's own"),
        (ONE + "[queue]\nadapter = 'rq'\n[settings]\nx = [1]", "settings.x: must be a number, text, true or false"),
        ("[queue]\nadapter = 'rq'\n[chains]\nworkflows = 1", "chains: takes the value of a job, which no adapter"),
        ("[queue]\nadapter = 'arq'\n[schedules]\nschedules = 1", "schedules: takes operations on schedules, which no"),
        (ONE + "[queue]\nadapter = 'rq'\n[publish]\nbatch = 2", "publish.batch: is for loadgen's own queues only"),
        (
            ONE + "[terms]\ninitial = '2s'\nmax = '1s'",
            "terms.initial: the first wait, 2s, is longer than the longest, 1s",
        ),
        (ONE + "[terms]\nbackoff = 'cubic'", "terms.backoff: must be one of fixed, linear, exponential"),
        (
            ONE + "[publish]\nbefore_workers = true\nrate = 5",
            "publish.before_workers: publishes all jobs before the first",
        ),
        (
            ONE + "[publish]\nbefore_workers = true\nbursts = 2\npause = '1s'",
            "publish.before_workers: publishes all jobs before the first worker starts, and bursts come later",
        ),
        (ONE + "[publish]\nbursts = 5\npause = '1s'\nrate = 9", "publish.bursts: are published as fast as can be"),
        (ONE + "[publish]\nbatch = 5\nrate = 9", "publish.batch: publishes many jobs at once, and a rate one by one"),
        (ONE + "[publish]\nbursts = 5", "publish.bursts: take a time from one to the next"),
        (ONE + "[publish]\npause = '5s'", "publish.pause: is the time from one burst to the next"),
        (ONE + "[publish]\nbursts = 2000\npause = '5s'", "publish.bursts: must be at most the number of jobs, 1,000"),
        (ONE + "[schedules]\nschedules = 1\ncron = '* *'", 'schedules.cron: the schedule "* *" is no cron expression'),
        (ONE + "[schedules]\nschedules = 1\nzone = 'Mars/Base'", '"Mars/Base" is no time zone'),
        (ONE + "[baseline]", "baseline: says nothing; add jobs or workers"),
        (
            ONE + "[[fault]]\nkind = 'kill'",
            "fault[0].kind: kill is done to a server or its connections, and SQLite has",
        ),
        (ONE + "[[fault]]\nkind = 'kil'", 'fault[0].kind: there is no kind of fault "kil"; did you mean "kill"?'),
        (
            ONE + "[[fault]]\nkind = 'kill'\nworkers = 3",
            "fault[0].workers: there is no worker 3; there is one worker, 1",
        ),
        (ONE + "[[fault]]\nkind = 'kill'\nworkers = 1\non = 1", "fault[0].on: the fault is on workers, by workers"),
        (
            ONE + "[[fault]]\nkind = 'loss'\nworkers = 1",
            "fault[0].kind: must be one of kill, pause on workers, not loss",
        ),
        (ONE + "[[fault]]\nkind = 'kill'\nworkers = 1\ndata = 'gone'", "fault[0].data: are the files of a server"),
        (ONE + "[[fault]]\nkind = 'kill'\nworkers = 1\nat = '200%'", '"200%" is no share'),
        (ONE + "[[fault]]\nkind = 'kill'\nworkers = 0", "fault[0].workers: must be the number of a worker"),
        (
            "[schedules]\nschedules = 1\n[[fault]]\nkind='kill'\nworkers=1\nat='5%'",
            "at: is a share of the jobs, and this",
        ),
        (
            "patience = '6s'\n" + ONE + "[[fault]]\nkind = 'kill'\nworkers = 1",
            "test.toml:1:1: patience: must be longer than lease and sweep together, 6s",
        ),
        (
            ONE + "[queue]\nadapter = 'streams'\nstorage = 'redis://h'\n[[fault]]\nkind = 'kill'",
            "fault[0].kind: kill is done to a server that loadgen has started, and redis://h:6379/0 runs already",
        ),
        (ONE + "[queue]\nadapter = 'streams'\n[[fault]]\nkind = 'kill'\non = 2", "fault[0].on: there is no node 2"),
        (ONE + "[[monitor]]\nkind = 'hosts'", 'test.toml:4:1: monitor[0].kind: there is no kind of monitor "hosts"'),
        (ONE + "[[monitor]]\nkind = 'host'\nname = 'queueing'", '"queueing" is another monitor, or selects something'),
        (ONE + "[[monitor]]\nkind = 'host'\n" * 2, 'test.toml:5:3: monitor[1]: "host" is another monitor'),
        (ONE + "[[monitor]]\nkind = 'redis'", "monitor[0].kind: reads the server under load, and SQLite has none"),
        (ONE + "[[monitor]]\nkind = 'proc'", "monitor[0].kind: reads the server under load, and SQLite has none"),
        (ONE + "[[monitor]]\nkind = 'memcached'", "reads the server under load, and no queue is in a memcached"),
        (ONE + "[[check]]\nexpr = 'max(used_memory) < 1GB'", "check[0].expr: "),
        (ONE + "[[check]]\nexpr = 'lots == 0'", "check[0].expr: "),
        (ONE + "[[check]]\nexpr = 'p99[kind 2] < 1s'", "there is no kind 2; there is one, 1"),
        (ONE + "[[check]]\nexpr = 'p99 < 5'", "check[0].expr: "),
        (ONE + "[[check]]\nlevel = 'nice'", "check[0].expr: "),
    ],
)
def test_a_problem_is_one_sentence_with_its_place(text: str, found: str) -> None:
    said = problems(text)
    assert len(said) == 1, said
    assert found in said[0]
    assert said[0].startswith("test.toml")


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    said = problems("[[jobs]]\njobs = 0\n[queue]\nlese = 1\n[workers]\ncount = 0")
    assert [re.match(r"test.toml:(\d+)", each)[1] for each in said] == ["2", "4", "6"]  # type: ignore[index]


# ── What a command line says ──────────────────────────────────────────────────────────────────────────────────────────


def test_flags_win_over_the_file() -> None:
    plan = plan_of(ONE, workers=4, concurrency=9, rate=70.0, patience="3s", work="7ms", fail_p=0.25)
    assert (plan.workers, plan.concurrency, plan.publishing.rate_per_s, plan.patience_ns) == (4, 9, 70.0, 3 * S)
    assert plan.publishing.kinds == (Kind(1000, 7 * MS, fail_p=0.25),)


def test_jobs_of_several_kinds_keep_their_proportions_and_each_kind_one_job() -> None:
    two = "[[jobs]]\njobs = 500\n[[jobs]]\njobs = 50"
    assert [kind.jobs for kind in plan_of(two, jobs=1100).publishing.kinds] == [1000, 100]
    assert [kind.jobs for kind in plan_of(two, jobs=2).publishing.kinds] == [1, 1]
    assert sum(kind.jobs for kind in plan_of(two, jobs=777).publishing.kinds) == 777


def test_a_storage_brings_its_queue_along() -> None:
    streams = "[queue]\nadapter = 'streams'\n" + ONE
    assert plan_of(streams, storage="sqlite://./x.db").adapter == "sqlite"
    assert plan_of(ONE, storage="redis://h:1/0").adapter == "streams"
    assert plan_of("[queue]\nadapter = 'lists'\n" + ONE, storage="redis://h").adapter == "lists"
    assert plan_of(ONE, storage="redis://h", adapter="lists").adapter == "lists"


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({"jobs": 0}, "--jobs: must be from 1 to 10,000,000, not 0"),
        ({"workers": 0}, "--workers: must be from 1 to 1,000, not 0"),
        ({"adapter": "rqq"}, "--adapter: must be one of sqlite, streams, lists, rq,"),
        ({"storage": "http://x"}, "--storage: http://x is no storage that is known here"),
        ({"storage": "redis://h/x"}, "--storage: redis://h/x names no database by its number"),
        ({"adapter": "rq", "storage": "sqlite://./x.db"}, "--storage: the adapter rq keeps its jobs in Redis"),
        ({"fail_p": 1.5}, "--fail-p: 1.5 is no share"),
        ({"patience": "0s"}, "--patience: must be longer than 0"),
    ],
)
def test_a_problem_with_a_flag_names_the_flag(flags: dict[str, object], found: str) -> None:
    [said] = problems(ONE, **flags)
    assert said.startswith(found)


def test_flags_about_jobs_are_refused_where_there_are_none() -> None:
    text = "[schedules]\nschedules = 5"
    assert problems(text, jobs=5) == [
        "--jobs: this test publishes no jobs of its own; set the numbers of its tables by --set"
    ]
    assert problems(text, work="5ms") == ["--work: this test has no jobs"]
    assert problems(text, fail_p=0.5) == ["--fail-p: this test publishes no jobs of its own that could fail"]
    assert plan_of("[chains]\nworkflows = 5", work="5ms").chains == Chains(5, work_ns=5 * MS)


def test_set_reaches_the_root_a_table_and_a_table_of_a_list() -> None:
    sets = ("patience=5s", "queue.lease=2s", "jobs.0.work=3ms", "chains.workflows=2")
    plan = jobs_file.case_of(ONE, "test", "test.toml", Overrides(sets=sets)).plan
    assert (plan.patience_ns, plan.queue.lease_ns) == (5 * S, 2 * S)
    assert plan.publishing.kinds == (Kind(1000, 3 * MS),)
    assert plan.chains == Chains(2)


@pytest.mark.parametrize(
    ("override", "found"),
    [
        ("queue.lese=2s", "--set: queue.lese: unknown key; did you mean lease?"),
        ("jobs.0.jobs=0", "--set: jobs[0].jobs: must be from 1"),
        ("jobs.7.jobs=1", "--set jobs.7.jobs: jobs is a list of tables; its tables are jobs.0 to jobs.0"),
        ("workers", "--set workers: has no equals sign"),
    ],
)
def test_a_problem_with_set_names_it(override: str, found: str) -> None:
    assert any(each.startswith(found) for each in problems(ONE, override))


# ── The document ──────────────────────────────────────────────────────────────────────────────────────────────────────

PAGE = (ROOT / "docs" / "JOBS.md").read_text(encoding="utf-8")


def test_the_document_has_every_preset_with_its_title() -> None:
    rows = [f"| `{name}` | {jobs_presets.case(name).plan.title} |" for name in jobs_presets.names()]
    assert "\n".join(rows) in PAGE


def test_the_document_has_every_key_and_check_and_its_files_have_no_problem() -> None:
    for rows in (jobs_file._ROOT, jobs_file._QUEUE, jobs_file._TERMS, jobs_file._WORKERS, jobs_file._PUBLISH,
                 jobs_file._JOBS, jobs_file._CHAINS, jobs_file._SCHEDULES, jobs_file._BASELINE):  # fmt: skip
        assert [key for key in rows if f"`{key}`" not in PAGE] == []
    assert [name for name in NAMES if f"`{name}`" not in PAGE] == []
    examples = re.findall(r"^```toml\n(.*?)^```", PAGE, re.M | re.S)
    assert [plan_of(example).jobs for example in examples] == [1000, 1000]


# ── Presets ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", jobs_presets.names())
def test_a_preset_is_whole(name: str) -> None:
    """Its text is commented, and its checks have no mistake."""
    text = jobs_presets.text_of(name)
    case = jobs_presets.case(name)
    assert text.startswith("# ")
    assert case.plan.name == name
    assert case.plan.title != name
    assert not case.plan.title.endswith(".")
    assert case.plan.checks
    assert bool(case.baseline) == ("baseline_throughput" in text)


def test_upstreams_twelve_tests_come_first_and_say_which_they_are() -> None:
    assert jobs_presets.names()[:12] == jobs_presets.UPSTREAM
    assert all(jobs_presets.case(name).plan.upstream for name in jobs_presets.UPSTREAM)


def test_the_presets_have_upstreams_parameters() -> None:
    """Those of seeds.md, and of the decisions about throughput and multi-worker."""
    plans = {name: jobs_presets.case(name).plan for name in jobs_presets.names()}
    assert (plans["throughput"].jobs, plans["throughput"].workers, plans["throughput"].concurrency) == (1000, 1, 6)
    assert (plans["multi-worker"].jobs, plans["multi-worker"].workers) == (1000, 5)
    storm = plans["retry-storm"]
    assert (storm.publishing.kinds[0].fail_p, storm.terms.max_attempts) == (0.8, 3)
    assert storm.terms.backoff == Backoff(Growth.EXPONENTIAL, 100 * MS, 5 * S, 0.1)
    assert (plans["idempotency"].jobs, plans["idempotency"].publishing.submissions) == (1000, 5)
    assert [(kind.jobs, kind.work_ns) for kind in plans["long-running"].publishing.kinds] == [
        (500, 10 * MS),
        (50, 2 * S),
    ]
    bursts = plans["bursts"].publishing
    assert (bursts.jobs, bursts.bursts, bursts.pause_ns, plans["bursts"].concurrency) == (2500, 5, 3 * S, 15)
    assert plans["chains"].chains == Chains(100, 3, 20 * MS, 250)
    assert plans["schedules"].scheduling == Scheduling(500, operations=2)
    assert plans["triggering"].scheduling == Scheduling(100, cron="* * * * *", fires_ns=70 * S)
    assert plans["schedule-idempotency"].scheduling == Scheduling(100, attempts=5)
    assert plans["schedule-updates"].scheduling == Scheduling(50, updates=20)
    assert plans["mixed"].scheduling == Scheduling(50, operations=10)
    assert (plans["mixed"].jobs, plans["mixed"].concurrency) == (500, 15)
    assert (plans["scale-10k"].jobs, plans["scale-100k"].jobs) == (10_000, 100_000)
    assert (plans["scale-10-workers"].workers, plans["scale-100-workers"].workers) == (10, 100)
    kills = [(each.at_share, each.fault.on) for each in plans["worker-kill"].faults]
    assert kills == [(0.3, (1,)), (0.6, (2,))]


def test_a_word_names_a_file_that_is_there_or_else_a_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert jobs_presets.case("multi_worker").plan.name == "multi-worker"
    assert jobs_presets.case("Throughput.toml").plan.workers == 1
    Path("throughput.toml").write_text(ONE + "[workers]\ncount = 2")
    assert jobs_presets.case("throughput.toml").plan.workers == 2
    assert jobs_presets.case("throughput").plan.workers == 1
    assert jobs_presets.case("throughput", Overrides({"--workers": 3})).plan.workers == 3


def test_a_name_of_nothing_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match='no test and no file "thruput"; did you mean throughput'):
        jobs_presets.case("thruput")
    with pytest.raises(UsageError, match="`loadgen jobs list` names the presets"):
        jobs_presets.case("xyz")
    with pytest.raises(ConfigError, match=r"^nothing.toml: there is no such file"):
        jobs_presets.case("./nothing.toml")


def test_a_library_has_its_own_lease_unless_the_file_names_one() -> None:
    jobs = "[[jobs]]\njobs = 5\n"
    own = jobs_file.case_of(f'title = "t"\n[queue]\nadapter = "rq"\n{jobs}', "t", "t").plan
    given = jobs_file.case_of(f'title = "t"\n[queue]\nadapter = "rq"\nlease = "7s"\n{jobs}', "t", "t").plan
    ours = jobs_file.case_of(f'title = "t"\n{jobs}', "t", "t").plan
    assert (own.queue.lease_ns, given.queue.lease_ns, ours.queue.lease_ns) == (0, 7 * S, 5 * S)
