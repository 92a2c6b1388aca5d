"""The changes of a simulated cluster, drawn from a case's tape: one after the other, each in the steps of a real one.

Between two steps nodes disagree, as they do in a real cluster, where each learns of a change in its own time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from loadgen.units import NS_PER_MS, NS_PER_S
from loadgen.verify.kinds.simulated.weather import Weather
from loadgen.verify.scenario.settings import whole_ticks
from loadgen.verify.tape import FAULT, Tape
from loadgen.verify.world._network import Host, Network
from loadgen.verify.world.cluster.cluster import Cluster
from loadgen.verify.world.cluster.node import Place
from loadgen.verify.world.cluster.process import Process

PORT = 6379
MOST = 8
DIES, RESTARTS, PAUSES = "a master dies", "a master restarts", "a master pauses"
LENGTHS_NS = (20 * NS_PER_MS, 2 * NS_PER_MS, 200 * NS_PER_MS, NS_PER_S)
STEPS = 4
"""The times between a change's beginning and its end at which keys move."""
MOST_NODES = 12
"""Of which no more is added."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change, by the word of a row of CHANGES."""

    word: str
    from_ns: int
    """The world's time."""
    length_ns: int
    """From its first step to the one by which the cluster serves every slot again."""
    news_ns: int
    """The longest time until a node has heard of a step."""
    which: int
    """Picks one of several, such as the slots that move."""

    @property
    def until_ns(self) -> int:
        """The time by which all nodes know."""
        return self.from_ns + 2 * self.length_ns + self.news_ns

    def __str__(self) -> str:
        at, length, news = (ns / NS_PER_MS for ns in (self.from_ns, self.length_ns, self.news_ns))
        return f"{self.word} ({self.which}) at {at:g} ms for {length:g} ms, known to all {news:g} ms later"


class ClusterScene:
    """What changes act on: the cluster, and the hosts of its nodes."""

    def __init__(
        self,
        network: Network,
        engine_host: Host,
        weather: Weather,
        masters: int,
        replicas: int,
        words: Sequence[str],
    ) -> None:
        """`words` are those of the changes that there may be."""
        self.network = network
        self.world = network.world
        self.engine_host = engine_host
        self.hosts: list[Host] = []
        self.processes: list[Process] = []
        self._weather = weather
        places = [self._place() for _ in range(masters + replicas)]
        self.cluster = Cluster(places, masters)
        for number in range(len(places)):
            self._start(number)
        self.dead: set[int] = set()
        self.counts = dict.fromkeys(words, 0)
        """How often each change took place."""

    def _place(self) -> Place:
        host = self.network.host()
        self._weather.over(self.network, self.engine_host, host)
        self.hosts.append(host)
        return Place(b"%040x" % (len(self.hosts) * 0x9E3779B97F4A7C15), host.address.encode(), PORT)

    def _start(self, number: int) -> None:
        process = Process(self.hosts[number], PORT, lambda: self.cluster.nodes[number])
        self.processes[number : number + 1] = [process]

    def plan(self, change: Change) -> None:
        """Have a change begin at its time."""

        def begin() -> None:
            self.counts[change.word] += (CHANGES | OF_REPLICAS)[change.word](self, change)

        self.world.at(change.from_ns, begin)

    # ── What steps are made of ──────────────────────────────────────────────────────────────────────────────────────

    def after(self, change: Change, part: float, call: Callable[[], object]) -> None:
        """Call at a part of the change's length: above 1 in the time after the cluster serves again."""
        self.world.at(change.from_ns + round(change.length_ns * part), call)

    def spread(self, change: Change, among: Sequence[int], tell: Callable[[int], object]) -> None:
        """Have each of some nodes be told, in its own time from now on, unless it is dead by then."""
        for number in among:
            # The same for the same change, and another for each node.
            part = (change.which * 7 + number * 5) % 16 + 1

            def told(number: int = number) -> None:
                if number not in self.dead and number in self.cluster.members:
                    tell(number)

            self.world.at(self.world.now_ns + change.news_ns * part // 16, told)

    def others(self, *but: int) -> list[int]:
        return [number for number in sorted(self.cluster.members) if number not in but]

    def master(self, change: Change, *but: int) -> int:
        """Pick one of the masters."""
        masters = [number for number in self.cluster.masters() if number not in but]
        return masters[change.which % len(masters)]

    def kill(self, number: int) -> None:
        self.hosts[number].kill()
        self.dead.add(number)
        self.cluster.lose(number)

    def start_again(self, number: int, *, keeps: bool) -> None:
        self.dead.discard(number)
        self.hosts[number].restart()
        self.cluster.start_again(number, keeps=keeps)
        self._start(number)

    def add(self) -> int:
        number = self.cluster.add(self._place())
        self._start(number)
        return number


def _move(scene: ClusterScene, change: Change, source: int, target: int, slots: list[int]) -> None:
    """Move slots with their keys, a part of the keys at a time, within the change's length."""
    cluster, moving = scene.cluster, set(slots)
    cluster.open_target(slots, source, target)
    scene.after(change, 0.1, lambda: cluster.open_source(slots, source, target))
    for step in range(STEPS):
        # With half of what is left each time, the last moves when the target takes over.
        part = 0.2 + 0.7 * step / STEPS
        scene.after(change, part, lambda: cluster.move_keys(moving, source, target, _half(scene, source, moving)))

    def settle() -> None:
        cluster.settle(moving, source, target)
        scene.spread(change, scene.others(target), lambda number: cluster.tell_owner(number, slots, target))

    scene.after(change, 1, settle)


def _half(scene: ClusterScene, source: int, slots: set[int]) -> int:
    return -(-scene.cluster.keys_in(source, slots) // 2)


def _migrate(scene: ClusterScene, change: Change) -> bool:
    if len(scene.cluster.masters()) < 2:
        return False
    source = scene.master(change)
    target = scene.master(change, source)
    slots = scene.cluster.slots(source)
    if len(slots) < 2:
        return False
    _move(scene, change, source, target, slots[: max(1, len(slots) // (1, 2, 3, 16)[change.which % 4] - 1)])
    return True


def _add(scene: ClusterScene, change: Change) -> bool:
    """Add a node, to which a master gives half of its slots."""
    source = scene.master(change)
    slots = scene.cluster.slots(source)
    if len(scene.hosts) >= MOST_NODES or len(slots) < 2:
        return False
    _move(scene, change, source, scene.add(), slots[len(slots) // 2 :])
    return True


def _remove(scene: ClusterScene, change: Change) -> bool:
    """Give all slots of a master to another, which its replicas follow then, and take it out of the cluster."""
    cluster = scene.cluster
    if len(cluster.masters()) < 3:
        return False
    leaving = scene.master(change)
    heir = scene.master(change, leaving)
    _move(scene, change, leaving, heir, cluster.slots(leaving))

    def leave() -> None:
        for replica in cluster.replicas(leaving):
            cluster.follow(replica, heir)
        scene.kill(leaving)
        cluster.forget(leaving)

    # By then all have heard that another serves its slots.
    scene.world.at(change.from_ns + change.length_ns + change.news_ns, leave)
    return True


def _die(scene: ClusterScene, change: Change) -> bool:
    """Kill a master; its replica takes over, where it has one, and it comes back: as a replica, or with its keys."""
    cluster = scene.cluster
    lost = scene.master(change)
    heirs = [each for each in cluster.replicas(lost) if each not in scene.dead]
    scene.kill(lost)

    def noticed() -> None:
        # All notice at about the same time that a majority does.
        for number in scene.others(lost):
            cluster.nodes[number].failed = True

    def over(number: int) -> None:
        cluster.nodes[number].failed = False

    scene.after(change, 0.5, noticed)
    if heirs:
        heir = heirs[0]

        def promote() -> None:
            cluster.promote(heir)
            scene.spread(change, scene.others(heir, lost), lambda number: cluster.tell_promoted(number, heir))

        scene.after(change, 1, promote)
    scene.after(change, 1.2 if heirs else 0.8, lambda: scene.start_again(lost, keeps=not heirs))

    def back() -> None:
        node = cluster.nodes[lost]
        node.loading = node.failed = False
        if heirs:
            cluster.tell_promoted(lost, heirs[0])
            cluster.put_in_step(lost)
        else:
            for replica in cluster.replicas(lost):
                cluster.put_in_step(replica)
            scene.spread(change, scene.others(lost), over)

    scene.after(change, 1.9 if heirs else 1, back)
    return True


def _take_over(scene: ClusterScene, change: Change) -> bool:
    """Have a replica take over from a master that is well: CLUSTER FAILOVER."""
    cluster = scene.cluster
    replicas = [each for each in sorted(cluster.follows) if each not in scene.dead]
    if not replicas:
        return False
    heir = replicas[change.which % len(replicas)]
    before = cluster.follows[heir]
    cluster.promote(heir)
    cluster.tell_promoted(before, heir)
    cluster.put_in_step(before)
    scene.spread(change, scene.others(heir, before), lambda number: cluster.tell_promoted(number, heir))
    return True


def _restart(scene: ClusterScene, change: Change) -> bool:
    """Start a master again with its keys, before anybody has noticed."""
    number = scene.master(change)
    scene.kill(number)
    scene.after(change, 0.4, lambda: scene.start_again(number, keeps=True))

    def ready() -> None:
        node = scene.cluster.nodes[number]
        node.failed = node.loading = False
        for replica in scene.cluster.replicas(number):
            scene.cluster.put_in_step(replica)

    scene.after(change, 0.7, lambda: setattr(scene.cluster.nodes[number], "failed", False))
    scene.after(change, 1, ready)
    return True


def _pause(scene: ClusterScene, change: Change) -> bool:
    """Have a master stand still, for less than others would take for its death."""
    number, now_ns = scene.master(change), scene.world.now_ns
    scene.hosts[number].pause(now_ns, now_ns + change.length_ns)
    return True


def _replica(scene: ClusterScene, change: Change) -> int | None:
    """Pick one of the replicas; None where there is none."""
    replicas = [each for each in sorted(scene.cluster.follows) if each not in scene.dead]
    return replicas[change.which % len(replicas)] if replicas else None


def _fall_behind(scene: ClusterScene, change: Change) -> bool:
    """Have a replica show what it had, and not what it gets."""
    number = _replica(scene, change)
    if number is None:
        return False
    scene.cluster.fall_behind(number)
    scene.after(change, 1, lambda: scene.cluster.catch_up(number))
    return True


def _lose_replica(scene: ClusterScene, change: Change) -> bool:
    """Kill a replica, which the others notice; it comes back empty, and is brought into step."""
    cluster, number = scene.cluster, _replica(scene, change)
    if number is None:
        return False
    scene.kill(number)

    def noticed() -> None:
        scene.spread(change, scene.others(number), lambda each: cluster.nodes[each].failing.add(number))

    def back() -> None:
        node = cluster.nodes[number]
        node.loading = node.failed = False
        cluster.put_in_step(number)
        scene.spread(change, scene.others(number), lambda each: cluster.nodes[each].failing.discard(number))

    scene.after(change, 0.5, noticed)
    scene.after(change, 1, lambda: scene.start_again(number, keeps=False))
    scene.after(change, 1.5, back)
    return True


CHANGES: dict[str, Callable[[ClusterScene, Change], bool]] = {
    "slots migrate": _migrate,
    DIES: _die,
    "a node is added": _add,
    "a node is removed": _remove,
    "a replica takes over": _take_over,
    RESTARTS: _restart,
    PAUSES: _pause,
}
"""The changes of a cluster, by their words."""
BEHIND = "a replica falls behind"
OF_REPLICAS: dict[str, Callable[[ClusterScene, Change], bool]] = {
    BEHIND: _fall_behind,
    "a replica dies": _lose_replica,
}
"""Those of its replicas, which only reads from replicas notice."""


def drawn_changes(
    tape: Tape,
    words: Sequence[str],
    means: Sequence[float],
    begins_ns: int,
    length_ns: int,
    *,
    most: int = MOST,
    tick_ns: int = 0,
) -> Iterator[Change]:
    """Yield the changes of a case, each of which begins when the one before it is known to all.

    A seed draws which of the changes it has at all, as it does of faults. With a tick, changes begin at whole ticks
    from `begins_ns`.
    """
    mean = tape.choice(means, "mean number of changes")
    left_out = tape.below(1 << len(words), "changes that are left out")
    some = tuple(word for place, word in enumerate(words) if not left_out >> place & 1) or tuple(words)
    if not mean:
        return
    at_ns = begins_ns
    for _ in tape.several(FAULT, most, mean=mean):
        word = tape.choice(some, "change")
        pause_ns = length_ns * tape.below(1000, "pause before a change") // 4000
        change = Change(
            word,
            begins_ns + whole_ticks(at_ns - begins_ns + pause_ns, tick_ns),
            tape.choice(LENGTHS_NS, "length of a change"),
            tape.choice(LENGTHS_NS, "time until all know of a change"),
            tape.below(64, "which of a change"),
        )
        yield change
        at_ns = change.until_ns
