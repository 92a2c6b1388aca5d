"""Sentences on problems with a server and their remedies. Pure functions from counts and words to text.

This module knows the names of `phase.Failure` and the wording of servers' error replies. It sends no requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from loadgen import greeting
from loadgen.escape import printable
from loadgen.phase import Failure
from loadgen.plan import Endpoint, Plan
from loadgen.protocol import Dialect, Protocol, Wire
from loadgen.snapshot import Snapshot
from loadgen.units import NS_PER_S

# The beginnings of error replies, and what a user can do about them. The first match counts.
REMEDIES = (
    (("WRONGPASS", "ERR invalid password"), "correct target.username and target.password (--user, --password)"),
    (("NOAUTH",), "set target.username and target.password (--user, --password)"),
    (("ERR AUTH ", "ERR Client sent AUTH"), "leave target.password out"),
    (("NOPERM",), "allow this user the commands and the keys (ACL SETUSER)"),
    (("ERR operation not permitted",), "set target.password (--password)"),
    (
        ("CLIENT_ERROR unauthenticated", "CLIENT_ERROR authentication failure", "AUTH_ERROR"),
        "set target.username and target.password to those of a user of the server",
    ),
    (
        ("ERROR authentication required",),
        'set target.protocol to "memcache-binary", with the target.username and target.password of a user',
    ),
    (("DENIED",), "switch the server's protected mode off, or run loadgen on the server's machine"),
    (
        ("ERR unknown command 'RESET'", "ERR unknown command `RESET`", "ERR unknown command 'reset'"),
        'only Redis 6.2 and later know RESET: set connection.reconnect_by to "close"',
    ),
    (
        ("ERR unknown command 'CLIENT'", "ERR unknown subcommand", "ERR Unknown subcommand", "ERR Client tracking"),
        'only Redis 6 and later track clients: set target.tracking to "off"',
    ),
    (("LOADING",), "try again when the server has read its data set"),
    (
        ("OOM", "SERVER_ERROR out of memory"),
        "raise the server's memory limit, allow eviction, or write fewer or smaller values",
    ),
    (("MISCONF",), "let the server save to its disk, or set stop-writes-on-bgsave-error to no"),
    (("READONLY",), "name the replica's master in target.endpoints, or send no SET and no DELETE"),
    (("MASTERDOWN",), "wait until the replica has its master again"),
    (("ERR max number of clients",), "raise the server's maxclients, or open fewer connections"),
    (("ERROR Too many open connections",), "start the server with a larger -c, or open fewer connections"),
    (("SERVER_ERROR object too large",), "start the server with a larger -I, or write smaller values"),
    (("ERR DB index", "ERR invalid DB index"), "correct target.database (--dbnum), or raise the server's databases"),
    (("ERR SELECT is not allowed",), "leave target.database out: a cluster has the database 0 only"),
    (("NOPROTO", "ERR unknown command 'HELLO'", "ERR unknown command `HELLO`"), 'set target.protocol to "resp"'),
    (("MOVED", "ASK"), "set target.cluster (--cluster): the server is a node of a cluster"),
    (("CLUSTERDOWN", "TRYAGAIN"), "wait until the cluster serves every slot, or bring back the node that has them"),
    (("BUSY",), "wait for the server's script to end, or send SCRIPT KILL"),
    (("NOREPLICAS",), "restore the server's replicas, or set min-replicas-to-write to 0"),
    (("WRONGTYPE",), "use an empty database: keys of the same names hold other types"),
    (("ERR unknown command",), "leave the command out of workload.commands, or check target.protocol"),
    (("SERVER_ERROR",), "see the log of the server, or of the proxy before it"),
    (("E2BIG",), "start the server with a larger -I, or write smaller values"),
    (("ENOMEM",), "raise the server's memory limit, allow eviction, or write fewer or smaller values"),
    (("ERROR", "UNKNOWN_COMMAND"), "check target.protocol, as the server does not know the command"),
)

# The most characters of a sentence on TLS, which has its remedy.
_LONGEST_TLS = 400

# The most lines of a server's log that a sentence quotes.
_MOST_QUOTED = 2
TIMEOUTS_REMEDY = "see whether the server is stuck or overloaded, or raise connection.request_timeout"
LOST_REMEDY = "see in the server's log why it closes connections"
CORRUPT_REMEDY = "check target.protocol, and run `loadgen smoke`"


def remedy(words: str) -> str:
    """Return what a user can do about an error reply; empty where that is not known."""
    return next((remedy for starts, remedy in REMEDIES if words.startswith(starts)), "")


def with_remedy(words: str) -> str:
    """Return an error reply in quotes, followed by its remedy where one is known."""
    return f'"{printable(words)}"' + (f": {remedy(words)}" if remedy(words) else "")


def address(endpoint: Endpoint) -> str:
    """Return the server's address as the user wrote it, with the addresses that its name was resolved to."""
    if endpoint.path or endpoint.addresses == (endpoint.host,):
        return str(endpoint)
    return f"{endpoint} ({', '.join(endpoint.addresses)})"


def why_not(plan: Plan, endpoint: Endpoint, failures: Mapping[str, int], examples: Mapping[str, str]) -> str:
    """Return why no connection to a server became ready, in sentences.

    `failures` has the number of failed attempts by reason, `examples` the first failure of each reason in words.
    """
    where = address(endpoint)
    most = max(failures, key=lambda name: failures[name], default="")
    words = printable(examples.get(most, ""))
    match most:
        case Failure.REFUSED:
            return (
                f"Nothing is listening on {where} (connection refused). Start a server, or use --embedded for the "
                "built-in one."
            )
        case Failure.TLS | Failure.CONNECT_TIMEOUT if words:
            # A timeout has words when it came in the handshake.
            return f"TLS with {where} failed: {printable(examples[most], _LONGEST_TLS)}."
        case Failure.CONNECT_TIMEOUT:
            return (
                f"{where} did not answer within {plan.wire.connect_timeout_ns / NS_PER_S:g} s: check that it is a "
                f"{plan.target.protocol} server and not stuck, or raise connection.connect_timeout."
            )
        case Failure.TURNED_AWAY:
            # AUTH's own error says more than that of the PING that follows.
            return f"{where} rejected the connection: {with_remedy(examples.get('WRONGPASS', examples.get(most, '')))}."
        case Failure.PROTOCOL | Failure.UNASKED_REPLY:
            other = _other_protocol(plan.target.speaks, words)
            return f"{where} does not speak {plan.target.protocol}, it sent {words}: {other}."
        case Failure.CLOSED_BY_SERVER | Failure.RESET:
            return (
                f"{where} closes every connection before it answers: it may be full{_maybe_tls(plan)}, or speak "
                f"another protocol than {plan.target.protocol}{_unasked(plan)}."
            )
        case Failure.LOCAL_LIMIT:
            return (
                f"This machine has nothing left for connections to {where} ({words}): raise its limit on open files, "
                "widen net.ipv4.ip_local_port_range, name more connection.source_addresses, or open fewer connections."
            )
        case _:
            check = "the permissions of the socket" if endpoint.path else "its address and the network"
            return f"{where} cannot be reached ({words or 'no reason is known'}): check {check}."


def _maybe_tls(plan: Plan) -> str:
    return ", want TLS (target.tls, --tls)" if plan.target.tls is None else ""


def _unasked(plan: Plan) -> str:
    asked = plan.target.speaks.question(plan.target.precheck)
    if plan.target.speaks.begins_with_hello or not asked:
        return ""
    return f'; if it only does not know {asked}, set target.precheck = "none"'


def greeting_remarks(plan: Plan, examples: Mapping[str, str]) -> Iterator[str]:
    """Yield remarks on the greetings of connections that were used although the greeting failed."""
    where = address(plan.target.endpoints[0]) if len(plan.target.endpoints) == 1 else "A server"
    asked = plan.target.speaks.question(plan.target.precheck)
    skip = f'target.precheck = "none" skips {asked}' if asked else "the load goes on"
    if "greeting" in examples:
        yield f"{where} answered the greeting with {with_remedy(examples['greeting'])}; {skip}"
    if "greeted by GET" in examples:
        yield (
            f"{where} closes a connection on {asked}, as proxies do that do not know it, and was greeted by a GET "
            f"instead; {skip}"
        )


def locked_out(plan: Plan, phase: Snapshot, examples: Mapping[str, str]) -> str:
    """Return the sentence that a server wants other credentials, or another user, for every request; empty for none."""
    if phase.total.ok:
        return ""
    for name in phase.errors:
        words = examples.get(name, name)
        if greeting.is_locked(words) or words.startswith("NOPERM"):
            where = address(plan.target.endpoints[0]) if len(plan.target.endpoints) == 1 else "A server"
            return f"{where} rejects every request with {with_remedy(words)}."
    return ""


def misrouted(plan: Plan, phase: Snapshot, examples: Mapping[str, str]) -> str:
    """Return the sentence that servers are nodes of a cluster, unknown to the plan; empty when they are not."""
    if plan.target.topology is not None or not phase.errors.get("MOVED"):
        return ""
    words = printable(examples.get("MOVED", "MOVED"))
    return (
        f"{address(plan.target.endpoints[0])} is a node of a Redis Cluster: it answers keys of other nodes with "
        f'"{words}". Set target.cluster = true (--cluster), so that each key goes to its node.'
    )


def _other_protocol(protocol: Protocol, words: str) -> str:
    """Return the remedy for a server that sent `words`, a bytes literal without its b."""
    text = words[1:]
    if text.startswith("\\x15\\x03"):
        return "it wants TLS: set target.tls = true (--tls)"
    in_memcache = protocol.wire is Wire.MEMCACHE
    if protocol.dialect is Dialect.BINARY and text.startswith(("ERROR", "CLIENT_ERROR", "SERVER_ERROR")):
        return 'it speaks memcache\'s text protocol, so set target.protocol to "memcache" (--protocol)'
    if in_memcache and text.startswith("\\x81"):
        return 'it speaks memcache\'s binary protocol, so set target.protocol to "memcache-binary" (--protocol)'
    if in_memcache and text.startswith(("-", "+")):
        return 'it is a RESP server, so set target.protocol to "resp" (--protocol)'
    if not in_memcache and text.startswith(("ERROR", "CLIENT_ERROR", "SERVER_ERROR")):
        return 'it is a memcache server, so set target.protocol to "memcache" (--protocol)'
    return "check target.endpoints and target.protocol (--port, --protocol)"


def some_down(plan: Plan, place: int, down: int, failures: Mapping[str, int], examples: Mapping[str, str]) -> str:
    """Return the sentence that some connections to the server at this place could not be opened, and why."""
    where = address(plan.target.nodes[place])
    return (
        f"{down} of {planned_connections(plan, place)} connections to {where} could not be "
        f"opened{because(failures, examples)}; they are tried again while the load runs."
    )


def planned_connections(plan: Plan, place: int) -> int:
    return sum(own.connections[place] for own in plan.workers)


def because(failures: Mapping[str, int], examples: Mapping[str, str]) -> str:
    """Return the reasons for failures in brackets, the most frequent first; empty when there are none."""
    names = sorted(failures, key=lambda name: -failures[name])
    words = [f"{name}: {printable(examples[name])}" if examples.get(name) else name for name in names]
    return f" ({'; '.join(words)})" if words else ""


def headway(since: Snapshot, down: int, examples: Mapping[str, str]) -> str:
    """Return the likely cause of a stalled prefill, from the counts `since` its last progress and what is down."""
    if since.errors:
        most = max(since.errors, key=lambda name: since.errors[name])
        return f"the server answers {with_remedy(examples.get(most, most))}"
    if since.total.timeouts and since.failures.keys() <= {Failure.STALLED, Failure.CONNECT_TIMEOUT}:
        return f"{since.total.timeouts:,} requests timed out: see whether the server is stuck"
    if down:
        words = "1 connection is down" if down == 1 else f"{down:,} connections are down"
        return f"{words}{because(since.failures, examples)}: see whether the server still runs"
    return "the server is slow: allow the prefill more time, or write fewer or smaller values"


def gone(endpoint: Endpoint, failures: Mapping[str, int], examples: Mapping[str, str]) -> str:
    """Return the sentence that a server was gone when the run ended. `failures` are those of the run's last phase."""
    return (
        f"No connection to {address(endpoint)} was left when the run ended, and none could be made"
        f"{because(failures, examples)}: see whether the server still runs."
    )


def ended(exit_report: str, log_errors: Sequence[str], log_tail: Sequence[str]) -> str:
    """Return how a server that loadgen started ended, with its log, in a sentence without its full stop."""
    return f"{exit_report}; {_log_words(log_errors, log_tail)}"


def deaf(name: str, where: str, log_errors: Sequence[str], log_tail: Sequence[str]) -> str:
    """Return the sentence that a server that loadgen started runs but no longer listens on its address."""
    return f"{name} runs, and no longer listens on {where}; {_log_words(log_errors, log_tail)}"


def _log_words(log_errors: Sequence[str], log_tail: Sequence[str]) -> str:
    """Return the errors in the log of a server that loadgen started, or the end of the log where it has none."""
    lines = [*log_errors[-_MOST_QUOTED:]] or [*log_tail[-_MOST_QUOTED:]]
    if not lines:
        return "its log is empty"
    quoted = " | ".join(printable(line) for line in lines)
    return f'its log {"says" if log_errors else "ends with"} "{quoted}"'


def garbled(measured: Snapshot, examples: Mapping[str, str]) -> str:
    """Return that some replies were invalid, after which none can be relied on; empty when all were valid."""
    if not measured.total.corrupt:
        return ""
    if Failure.WRONG_ANSWER in examples and Failure.PROTOCOL not in examples:
        words = printable(examples[Failure.WRONG_ANSWER])
        return f"replies are out of step: the value of another key came, the first being {words}"
    words = printable(examples.get(Failure.PROTOCOL, ""))
    return f"{measured.total.corrupt:,} replies were not what the protocol allows, the first being {words}"
