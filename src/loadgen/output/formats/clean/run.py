"""`--format clean` of a run: a header, a row per interval, and the results."""

from __future__ import annotations

from datetime import UTC, datetime

from loadgen.escape import printable
from loadgen.events import (
    NOTHING_MEASURED,
    Configured,
    MonitorGap,
    PhaseBegan,
    Result,
    Sample,
    ServerAwaited,
    TopologyChanged,
    per_s,
)
from loadgen.judge.check import Verdict
from loadgen.judge.verdict import VerdictLimits
from loadgen.output.formats import monitors
from loadgen.output.formats.clean import account
from loadgen.output.formats.clean.search import step_header
from loadgen.output.paper.columns import PLAIN, WATCHED
from loadgen.output.paper.grid import fitting, grid
from loadgen.output.paper.layout import WIDTH, fact, facts, indented, rule, width, wrapped
from loadgen.output.paper.page import Page
from loadgen.output.words import checks, faults, figures, hosts, nodes, search, sentences, slo
from loadgen.output.words.monitors import Gaps
from loadgen.percentiles import IN_ROWS
from loadgen.phase import Phase
from loadgen.plan import Plan
from loadgen.severity import Severity
from loadgen.slo import Attainment
from loadgen.units import format_duration
from loadgen.usage import ServerReport

HEADER_EVERY = 25
"""The header is repeated after this many rows: about a terminal's height."""

_HEADINGS = ("req/s", "err/s", "hit%", "srv%")
"""The last column is the server's CPU time, in percent of one CPU."""

_LABELS = {"  ours": "  generator"}
"""The labels of latencies that read otherwise than in `verbose`, whose labels scripts parse."""

_PHASE_HEADINGS = ("offered", "achieved", "p50", "p99", "errors")

_VERDICT_STYLES = {Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.CANNOT_TELL: "yellow"}
_SEVERITY_STYLES = {Severity.GOOD: "green", Severity.BREACHED: "bold red", Severity.UNKNOWN: "yellow"}
_ANSWER_STYLES = {Attainment.MET: "green", Attainment.BREACHED: "bold red", Attainment.UNKNOWN: "yellow"}


class Run:
    """The load of one run after another: the plan of the current one, and how many of its rows are printed."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._paint = page.paint
        self._plan: Plan | None = None
        self._limits: VerdictLimits | None = None
        self._rows = 0
        self._columns = PLAIN
        self._awaits = False
        """True when the header is printed without the address of the server, which is still starting."""
        self._gaps = Gaps()

    def awaited(self, event: ServerAwaited) -> None:
        self._awaits = True
        self._page.print(*self._configured(event.load, f"{printable(event.name)}, starting"))

    def configured(self, event: Configured) -> None:
        self._gaps.forget()
        if self._awaits:
            self._plan, self._limits, self._awaits = event.plan, event.judging.limits, False
            self._page.print(*fact("server", sentences.started(event)), *_agents(event), *self._agent_table(event), "")
            return
        after_another = [""] if self._plan is not None else []
        self._plan, self._limits, self._rows = event.plan, event.judging.limits, 0
        self._page.print(*after_another, *self._configured(event, sentences.targets(event.plan)))

    def phase(self, event: PhaseBegan) -> None:
        self._page.print(self._paint(_phase(event.phase, self._plan), "dim"))
        if event.phase == Phase.SEARCH:
            self._page.print("", self._paint(step_header(), "bold"))

    def sample(self, event: Sample) -> None:
        """Print a row for an interval of the measure phase, and nothing for one of the warm-up."""
        if event.phase == Phase.MEASURE:
            strain = (indented(words, 10) for words in sentences.strain(event, self._limits))
            beside = (self._paint(line, "yellow") for lines in strain for line in lines)
            self._page.print(*self._headed(event), self._sample(event), *beside)

    def gap(self, event: MonitorGap) -> None:
        words = (indented(words, 10) for words in self._gaps.words(event))
        self._page.print(*(self._paint(line, "yellow") for lines in words for line in lines))

    def topology(self, event: TopologyChanged) -> None:
        told = (indented(f"nodes: {printable(words)}", 10) for words in event.words)
        self._page.print(*(self._paint(line, "yellow") for lines in told for line in lines))

    def result(self, event: Result) -> None:
        self._page.print(*self._result(event))

    def _configured(self, event: Configured, target: str) -> list[str]:
        plan = event.plan
        keyspace = sentences.keyspace(plan, figures.grouped)
        size = figures.plural(plan.workload.value_bytes, "byte", figures.grouped)
        values = ", ".join(filter(None, [size, sentences.lifetime(plan, figures.grouped)]))
        server = printable(event.server)
        picked = f"distribution {plan.wire.request_distribution}" if plan.load.open_loop else sentences.refill(plan)
        pipeline = f"pipeline depth {plan.wire.pipeline_depth}"
        schedule = sentences.schedule(plan, figures.grouped)
        aim = search.aim(event.search.limits, figures.grouped).lower() if event.search is not None else ""
        stored = [*fact("keys", keyspace), *fact("values", values)] if plan.target.speaks.has_keys else []
        return [
            self._paint(f"loadgen {printable(event.version)}", "bold"),
            rule(),
            *fact("test", plan.test),
            *fact("target", f"{target} ({', '.join(filter(None, [server, plan.target.protocol]))})"),
            *fact("workload", ", ".join([sentences.mix(plan, figures.grouped), *sentences.extras(plan)])),
            *stored,
            *fact("workers", sentences.workers(plan)),
            *fact("connections", ", ".join(filter(None, [f"{plan.wire.connections:,}", pipeline, picked]))),
            *facts("rate", schedule[:1] if plan.load.phases else schedule),
            *fact("phases", sentences.phases(plan, figures.grouped)),
            *fact("search", aim),
            *facts("faults", [faults.planned(each) for each in event.faults]),
            *fact("seed", str(plan.seed)),
            *_agents(event),
            *(self._paint(line, "yellow") for note in sentences.notes(event) for line in fact("note", note)),
            *self._agent_table(event),
            "",
        ]

    def _agent_table(self, event: Configured) -> list[str]:
        """Return the table of the machines that are to send the load, after an empty line; nothing without any."""
        if not event.agents:
            return []
        seen = hosts.agents_shown(event.agents)
        rows = [hosts.agent_cells(agent) for agent in seen]
        places = fitting(hosts.AGENT_HEADINGS, rows, hosts.agents_left_out(event.agents))
        headings, *lines = grid(hosts.AGENT_HEADINGS, rows, places)
        return ["", self._paint(headings, "bold"), *lines, *wrapped(hosts.agents_hidden(event.agents, seen))]

    def _headed(self, event: Sample) -> list[str]:
        """Return the header above a row when one is due: after HEADER_EVERY rows, and when the columns change."""
        columns = WATCHED if event.server is not None else self._columns
        due = self._rows % HEADER_EVERY == 0 or columns is not self._columns
        self._rows += 1
        self._columns = columns
        return ["", self._paint(columns.header("time UTC", *_HEADINGS[: len(columns.widths)]), "bold")] if due else []

    def _sample(self, event: Sample) -> str:
        total, interval_ns, columns = event.interval.total, event.interval_ns, self._columns
        words = [
            figures.rate(per_s(total.answered, interval_ns)),
            figures.rate(per_s(total.not_ok, interval_ns)),
            figures.share(event.interval.hit_rate),
            f"{100 * event.server.cpu_share:.0f}" if event.server is not None else figures.NOTHING,
        ]
        answered, failed, *rest = columns.cells(words[: len(columns.widths)])
        return columns.line(
            datetime.fromtimestamp(event.wall_s, UTC).strftime("%H:%M:%S"),
            [answered, self._paint(failed, "red") if total.not_ok else failed, *rest],
            figures.quantiles(event.interval.latency(), mark=figures.mark_of_interval),
        )

    def _result(self, event: Result) -> list[str]:
        total = event.measured.total
        grouped = figures.grouped
        rate = f"{figures.rate(event.throughput_per_s)} req/s"
        requests, responses = (
            figures.plural(count, noun, grouped)
            for count, noun in ((total.planned, "request"), (total.answered, "response"))
        )
        hit_rate = sentences.hit_rate(event, grouped)
        test = f" OF {event.plan.test}" if event.plan.test else ""
        return [
            "",
            self._paint(f"RESULTS{test} ({sentences.duration(event, figures.grouped)})", "bold"),
            rule(),
            *fact("throughput", f"{rate} ({requests}, {responses})"),
            *(self._paint(line, "yellow") for line in facts("overload", sentences.overload(event, figures.grouped))),
            *self._server(event.server),
            *account.errors(event, self._paint),
            *facts("faults", faults.reports(event)),
            *facts("outages", faults.outages(event)),
            *facts("nodes", faults.changes(event)),
            *fact("bandwidth", sentences.bandwidth(event, event.measured)),
            *fact("hit rate", hit_rate),
            *fact("connections", sentences.connections(event, grouped)),
            *self._connecting(event),
            *fact("pushes", sentences.pushes(event, grouped)),
            *fact("redirects", nodes.redirects(event.measured.redirects)),
            *fact("generator", sentences.client(event)),
            *fact("history", sentences.history(event.history, figures.grouped)),
            *fact("self-test", sentences.standing(event, figures.grouped)),
            "",
            *(self._latency(event) if total.planned else [NOTHING_MEASURED.words]),
            "",
            *self._nodes(event),
            *self._hosts(event),
            *monitors.painted(event.monitors, self._paint),
            *self._by_phase(event),
            *self._objectives(event),
            *self._checks(event),
            *account.balance(event, self._paint),
            *(self._paint(line, "yellow") for note in sentences.closing(event) for line in fact("note", note)),
            *account.verdict(event, self._paint),
            *self._breaches(event),
        ]

    def _connecting(self, event: Result) -> list[str]:
        """Return the times to connect where connections are a part of the load."""
        counts = event.overall.connections
        if not counts.recycled and not event.overall.handshake.count:
            return []
        times = sentences.connecting(event, figures.grouped)
        return [line for name, words in times.items() for line in fact(name.removesuffix(" time"), words)]

    def _latency(self, event: Result) -> list[str]:
        columns = self._columns
        latencies = ((_LABELS.get(label, label), h) for label, h in sentences.latencies(event))
        rows = [columns.row(label, h.count, figures.quantiles(h)) for label, h in latencies]
        title = f"latency{'count':>{columns.left - len('latency')}}"
        labels = columns.percentiles([label for _, label, _ in IN_ROWS])
        return [self._paint(f"{title}{labels}", "bold"), *rows]

    def _nodes(self, event: Result) -> list[str]:
        """Return the table of the servers, with an empty line after it; nothing for a single server."""
        found = nodes.nodes(event.measured)
        if not found:
            return []
        seen = nodes.shown(found)
        rows = [nodes.cells(node, event.duration_ns) for node in seen]
        places = fitting(nodes.HEADINGS, rows, nodes.left_out(found))
        headings, *lines = grid(nodes.HEADINGS, rows, places)
        painted = (
            line if node.is_whole else self._paint(line, "yellow") for node, line in zip(seen, lines, strict=True)
        )
        return [self._paint(headings, "bold"), *painted, *wrapped(nodes.hidden(found, seen)), ""]

    def _hosts(self, event: Result) -> list[str]:
        """Return the table of the machines' parts, with an empty line after it; nothing where one machine sent all."""
        if not event.hosts:
            return []
        seen = hosts.parts_shown(event.hosts)
        rows = [hosts.part_cells(part, event.duration_ns) for part in seen]
        places = fitting(hosts.PART_HEADINGS, rows, hosts.parts_left_out(event.hosts))
        headings, *lines = grid(hosts.PART_HEADINGS, rows, places)
        painted = (
            self._paint(line, "bold red") if part.host is None else line for part, line in zip(seen, lines, strict=True)
        )
        return [self._paint(headings, "bold"), *painted, *wrapped(hosts.parts_hidden(event.hosts, seen)), ""]

    def _by_phase(self, event: Result) -> list[str]:
        """Return the table of the load's phases, with an empty line after it; nothing without phases."""
        if not event.by_phase:
            return []
        rows = [self._paint(f"{'phase (req/s)':<14}" + "".join(f"{word:>9}" for word in _PHASE_HEADINGS), "bold")]
        for each in event.by_phase:
            latency, total = each.counted.latency(), each.counted.total
            cells = [
                figures.rate(each.phase.offered_per_s),
                figures.rate(each.achieved_per_s) if each.counted_ns else figures.NOTHING,
                *(figures.quantile(latency, q) for _, _, q in sentences.PHASE_PERCENTILES),
                figures.rate(total.not_ok),
            ]
            rows += indented(sentences.phase(each.phase, figures.grouped), 0)
            rows.append(f"{'':<14}" + "".join(f"{cell:>9}" for cell in cells))
        return [*rows, ""]

    def _server(self, report: ServerReport | None) -> list[str]:
        """Return the server's resource use, exit and log errors; nothing when the server was not watched."""
        if report is None:
            return []
        return [
            *fact("server", sentences.server(report)),
            *(self._paint(line, "bold red") for line in facts("", sentences.exit_report(report))),
            *(self._paint(line, "yellow") for line in facts("", sentences.log_errors(report))),
        ]

    def _objectives(self, event: Result) -> list[str]:
        """Return the table of objectives, with an empty line after it; nothing without objectives."""
        if not event.checks:
            return []
        first, second, third = (20, 22, 20) if width() >= WIDTH else (17, 16, 16)
        rows = [self._paint(f"{'objective':<{first}}{'limit':>{second}}{'measured':>{third}}   answer", "bold")]
        for check in event.checks:
            limit, measured = slo.limit(check.objective, figures.grouped), slo.measured(check, figures.grouped)
            answer = self._paint(slo.answer(check), _ANSWER_STYLES[check.answer])
            rows.append(f"{slo.name(check.objective):<{first}}{limit:>{second}}{measured:>{third}}   {answer}")
        return [*rows, ""]

    def _checks(self, event: Result) -> list[str]:
        """Return the answers to the checks, with an empty line after them; nothing without checks."""
        if not event.checked:
            return []
        lines = [self._paint("answer        check", "bold")]
        for each in event.checked:
            said = fact(checks.answer(each), f"{checks.name(each)}: {checks.found(each)}")
            lines += [self._paint(line, _VERDICT_STYLES[each.verdict]) for line in said]
        return [*lines, ""]

    def _breaches(self, event: Result) -> list[str]:
        answers = {check.answer for check in event.checks}
        worst = next(
            (answer for answer in (Attainment.BREACHED, Attainment.UNKNOWN) if answer in answers), Attainment.MET
        )
        words, conditions = slo.summary(event.checks, figures.grouped), checks.summary(event.checked)
        gravest = Severity.gravest(each.severity for each in event.checked)
        return [
            *(self._paint(line, _ANSWER_STYLES[worst]) for line in fact("slo", words)),
            *(self._paint(line, _SEVERITY_STYLES[gravest]) for line in fact("checks", conditions)),
        ]


def _agents(event: Configured) -> list[str]:
    """Return what is known of the machines that are to send the load; nothing without any."""
    told = (hosts.preflight, hosts.division, hosts.clocks)
    return facts("agents", [words(event, figures.grouped) for words in told]) if event.agents else []


def _phase(phase: str, plan: Plan | None) -> str:
    if plan is None:
        return f"[{phase}]"
    match phase:
        case Phase.CONNECT:
            return f"[connect {figures.plural(plan.wire.connections, 'connection', figures.grouped)}]"
        case Phase.PREFILL:
            return f"[prefill {figures.plural(plan.workload.keyspace.count, 'key', figures.grouped)}]"
        case Phase.WARMUP:
            return f"[warmup {figures.spaced(format_duration(plan.load.warmup_ns), figures.grouped)}]"
        case Phase.MEASURE:
            return f"[running {sentences.aim(plan, figures.grouped)}]"
        case _:
            return f"[{phase}]"
