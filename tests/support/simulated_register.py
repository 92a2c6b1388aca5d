"""Random histories of a register that is right, with evictions, timeouts and late writes; and of one that lies.

Each operation takes effect at one instant between its call and its return.
"""

from __future__ import annotations

import heapq
from random import Random

from loadgen.verify.history import _operations as form
from loadgen.verify.history._operations import Operations


def simulated(
    seed: int, count: int, *, lies: float = 0.0, values: int = 0, conditional: bool = False, evicts: bool = True
) -> Operations:
    """Return a history of some operations on two keys.

    `lies` is the share of reads with an invented answer. Without `values`, each write has its own; else they are drawn
    from so many. `conditional`: with cas and add. Without `evicts`, a key is absent only before its first write, or
    after a delete.
    """
    random = Random(seed)
    free_at = dict.fromkeys(range(4), 0)
    at: list[tuple[int, float, int, int, int]] = []
    for _ in range(count):
        process = random.randrange(4)
        call = free_at[process] + random.randrange(6)
        effect = call + random.randrange(8)
        end = effect + random.randrange(8)
        free_at[process] = end + random.randrange(2)
        at.append((effect, random.random(), process, call, end))
    register: dict[int, int] = {}
    late: list[tuple[int, float, int, int]] = []
    rows: list[list[tuple[int, ...]]] = []
    written = 0
    for effect, _, process, call, end in sorted(at):
        key = random.randrange(2)
        while late and late[0][0] <= effect:
            _, _, other, value = heapq.heappop(late)
            register[other] = value
        if evicts and random.random() < 0.1:
            register.pop(key, None)
        held = register.get(key, 0)
        weights = (35, 10, 55, 15 * conditional, 25 * conditional)
        match random.choices(("write", "delete", "read", "add", "cas"), weights)[0]:
            case "delete":
                register.pop(key, None)
                rows.append([(form.DELETE, key, 0, call, end, process, form.OK if held else form.MISS)])
            case "read":
                value = held
                if random.random() < lies:
                    value = random.randrange(values + 1 if values else written + 2)
                rows.append([(form.READ, key, value, call, end, process, form.OK if value else form.MISS)])
            case kind:
                written += 1
                value = random.randrange(1, values + 1) if values else written
                expected = held if random.random() < 0.7 else random.randrange(1, (values or written) + 1)
                stored = kind == "write" or (held == 0 if kind == "add" else held == expected)
                outcome = form.OK if stored else form.MISS
                lot = random.random()
                if lot < 0.1:
                    outcome, ended = form.UNKNOWN, form.NO_END
                    if kind == "write" and random.random() < 0.6:
                        heapq.heappush(late, (effect + random.randrange(100), random.random(), key, value))
                elif lot < 0.12:
                    outcome, ended = form.NOT_DONE, end
                else:
                    ended = end
                    if stored:
                        register[key] = value
                if kind == "cas":
                    rows.append(
                        [
                            (form.CAS, key, expected, call, ended, process, outcome),
                            (form.CAS_TO, key, value, call, ended, process, outcome),
                        ]
                    )
                else:
                    op = form.WRITE if kind == "write" else form.ADD
                    rows.append([(op, key, value, call, ended, process, outcome)])
    found = Operations()
    for row in sorted(rows, key=lambda row: row[0][3]):
        for record in row:
            found.append(*record)
    return found
