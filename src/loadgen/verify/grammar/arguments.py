"""The arguments of commands, drawn from a tape: few keys, small values, and the values at which errors are.

Each method is a word of a group's rows (`groups`), and returns the words that stand in its place in a command.
"""

from __future__ import annotations

from collections.abc import Callable

from loadgen.verify.tape import Tape

_SHARED = (b"{loadgen}:a", b"{loadgen}:b", b"{loadgen}:c", b"{loadgen}:d")
_EQUAL_SCORES = b"{loadgen}:equal"
"""The key of a sorted set in which all scores are 0: ranges by bytes have no meaning in others."""

KEYS = (*_SHARED, _EQUAL_SCORES)
"""Every key of every case. Their hash tag keeps them on one node of a cluster."""

PATTERNS = (b"{loadgen}:*", b"{loadgen}:[ab]", b"{loadgen}:?", b"{loadgen}:[^a]", b"{loadgen}:\\a")
SOON_MS = 5
"""A time to live after which a case waits."""
SOON_WAIT_MS = 20

_LAST_MS = 5
"""The time of the last entries of a stream; times of others are below."""

_BIG = b"9223372036854775807"
_SMALL = b"-9223372036854775808"
_FAR_S, _FAR_MS = b"4102444800", b"4102444800000"
"""The year 2100."""
_LATER_S, _LATER_MS = b"4102445000", b"4102445000000"


class Arguments:
    """Draws arguments."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def __call__(self, word: str) -> list[bytes]:
        """Return the words for a word of a row: `key?` may be none, `member+` are one to three."""
        draw: Callable[[], list[bytes]] = getattr(self, word.rstrip("?+"))
        if word.endswith("?"):
            return draw() if self._tape.chance(0.25, f"optional {word}") else []
        times = self._tape.between(1, 3, f"number of {word}") if word.endswith("+") else 1
        return [each for _ in range(times) for each in draw()]

    def _one(self, site: str, *options: tuple[int, bytes]) -> list[bytes]:
        return [self._tape.weighted(options, site)]

    def _plain(self, site: str, *words: bytes) -> list[bytes]:
        return [self._tape.choice(words, site)]

    # ── Keys and values ───────────────────────────────────────────────────────────────────────────────────────────────

    def key(self) -> list[bytes]:
        return self._plain("key", *_SHARED)

    def one_of_two(self) -> list[bytes]:
        return self._plain("key of two", *_SHARED[:2])

    def equal_scores(self) -> list[bytes]:
        return [_EQUAL_SCORES]

    def pattern(self) -> list[bytes]:
        return self._plain("pattern", *PATTERNS)

    def value(self) -> list[bytes]:
        tape = self._tape
        match tape.weighted(((4, "small"), (4, "number"), (2, "bytes"), (1, "long"), (1, "empty")), "kind of value"):
            case "small":
                return self._plain("value", b"a", b"b", b"c")
            case "number":
                return self.integer()
            case "bytes":
                return [tape.bytes(1, 12, "value")]
            case "long":
                return [tape.bytes(65, 400, "value")]
        return [b""]

    def member(self) -> list[bytes]:
        """A member, a field or an element: one of a few, so that the same comes again."""
        return self._one(
            "member",
            (4, b"a"),
            (4, b"b"),
            (4, b"c"),
            (3, b"1"),
            (3, b"2"),
            (1, b""),
            (1, b"\r\n\0\xff"),
            (1, b"a" * 70),
        )

    def field_value(self) -> list[bytes]:
        return self.member() + self.value()

    def key_value(self) -> list[bytes]:
        return self.key() + self.value()

    # ── Numbers ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def integer(self) -> list[bytes]:
        """An integer, now and then at an end of 64 bits or beyond, or not an integer at all."""
        tape = self._tape
        if tape.chance(0.85, "plain integer"):
            return [b"%d" % (tape.below(12, "integer") - 2)]
        return self._plain(
            "odd integer", b"1", _BIG, _SMALL, b"9223372036854775808", b"1.5", b"a", b"", b" 1", b"+1", b"01"
        )

    def step(self) -> list[bytes]:
        """An amount above 0."""
        return self._plain("step", b"1", b"2", b"10", b"1000000")

    def index(self) -> list[bytes]:
        if self._tape.chance(0.95, "plain index"):
            return self._plain("index", b"0", b"-1", b"1", b"-2", b"2", b"-3", b"3", b"5", b"-5", b"100", b"-100")
        return self._plain("odd index", b"a", _BIG, _SMALL, b"1.5", b"")

    def offset(self) -> list[bytes]:
        return self._one("offset", (4, b"0"), (3, b"1"), (3, b"2"), (2, b"5"), (2, b"20"), (1, b"-1"), (1, b"a"))

    def bit_offset(self) -> list[bytes]:
        return self._one("bit", (4, b"0"), (3, b"1"), (3, b"7"), (2, b"8"), (2, b"100"), (1, b"-1"), (1, b"a"))

    def bit(self) -> list[bytes]:
        return self._one("bit value", (6, b"1"), (6, b"0"), (1, b"2"), (1, b"a"))

    def count(self) -> list[bytes]:
        return self._one("count", (4, b"1"), (4, b"2"), (2, b"0"), (2, b"10"), (2, b"-1"), (1, b"-2"), (1, b"a"))

    def all(self) -> list[bytes]:
        """A count that takes all of a set: SPOP then has no choice."""
        return [b"1000"]

    def number(self) -> list[bytes]:
        """A number in floating point whose sums are exact in any precision."""
        return self._one(
            "number", (4, b"1"), (4, b"0.5"), (3, b"-0.25"), (3, b"3"), (2, b"1.5e2"), (1, b"0"), (1, b"a"), (1, b"inf")
        )

    def score_member(self) -> list[bytes]:
        return self.score() + self.member()

    def zero_member(self) -> list[bytes]:
        return [b"0", *self.member()]

    def score(self) -> list[bytes]:
        return self._one(
            "score",
            *((4, score) for score in (b"1", b"2", b"0", b"-1", b"1.5", b"2")),
            *((1, score) for score in (b"inf", b"-inf", b"nan", b"a", b"1e3", b"")),
        )

    # ── Ranges and options of sorted sets ─────────────────────────────────────────────────────────────────────────────

    def score_end(self) -> list[bytes]:
        return self._one(
            "score end",
            *((3, end) for end in (b"-inf", b"+inf", b"0", b"1", b"2", b"(1", b"(2", b"1.5")),
            *((1, end) for end in (b"(a", b"", b"inf", b"-1")),
        )

    def lex_end(self) -> list[bytes]:
        return self._one("lex end", *((3, end) for end in (b"-", b"+", b"[a", b"[b", b"(a", b"(b", b"[")), (1, b"a"))

    def limit(self) -> list[bytes]:
        return [
            b"LIMIT",
            *self._plain("limit, offset", b"0", b"1", b"2", b"-1"),
            *self._plain("limit", b"1", b"2", b"-1"),
        ]

    def zadd_options(self) -> list[bytes]:
        return self._options("ZADD option", b"NX", b"XX", b"GT", b"LT", b"CH")

    def range_by(self) -> list[bytes]:
        tape = self._tape
        if tape.chance(0.5, "BYSCORE"):
            words = [*self.score_end(), *self.score_end(), b"BYSCORE"]
        else:
            words = [*self.index(), *self.index()]
        return words + self.rev_limit()

    def rev_limit(self) -> list[bytes]:
        tape = self._tape
        return ([b"REV"] if tape.chance(0.3, "REV") else []) + (self.limit() if tape.chance(0.3, "LIMIT") else [])

    def numbered_keys(self) -> list[bytes]:
        number = self._tape.between(1, 3, "number of keys")
        return [b"%d" % number, *(key for _ in range(number) for key in self.key())]

    def aggregate(self) -> list[bytes]:
        return [b"AGGREGATE", *self._plain("aggregate", b"SUM", b"MIN", b"MAX")]

    # ── Times to live ─────────────────────────────────────────────────────────────────────────────────────────────────

    def seconds(self) -> list[bytes]:
        """A time that has not come when the case ends, or one that has come already."""
        return self._one(
            "seconds", (6, b"100"), (4, b"1000"), (2, b"0"), (2, b"-1"), (1, b"a"), (1, _BIG), (1, b"9223372036854775")
        )

    def milliseconds(self) -> list[bytes]:
        return self._one("milliseconds", (6, b"100000"), (4, b"1000000"), (2, b"0"), (2, b"-1"), (1, b"a"), (1, _BIG))

    def unix_seconds(self) -> list[bytes]:
        return self._one("unix seconds", (6, _FAR_S), (3, _LATER_S), (3, b"1"), (1, b"-1"), (1, b"a"), (1, _BIG))

    def unix_milliseconds(self) -> list[bytes]:
        return self._one("unix milliseconds", (6, _FAR_MS), (3, _LATER_MS), (3, b"1"), (1, b"-1"), (1, b"a"), (1, _BIG))

    def soon(self) -> list[bytes]:
        return [b"%d" % SOON_MS]

    def nx_xx(self) -> list[bytes]:
        return self._options("EXPIRE option", b"NX", b"XX")

    def expire_option(self) -> list[bytes]:
        """An option of a Unix time: GT and LT of two relative times hold or not by the millisecond."""
        return self._options("EXPIRE option", b"NX", b"XX", b"GT", b"LT")

    def set_expiry(self) -> list[bytes]:
        tape = self._tape
        unit = tape.choice((b"EX", b"PX", b"EXAT", b"PXAT", b"KEEPTTL"), "expiry of SET")
        amounts = {
            b"EX": self.seconds,
            b"PX": self.milliseconds,
            b"EXAT": self.unix_seconds,
            b"PXAT": self.unix_milliseconds,
        }
        return [unit, *(amounts[unit]() if unit in amounts else [])]

    def getex_option(self) -> list[bytes]:
        words = self.set_expiry()
        return [b"PERSIST"] if words == [b"KEEPTTL"] else words

    def set_options(self) -> list[bytes]:
        return self._options("SET option", b"NX", b"XX", b"GET")

    def copy_option(self) -> list[bytes]:
        return [b"REPLACE"]

    def _options(self, site: str, *words: bytes) -> list[bytes]:
        """Draw one word, and now and then two, which may contradict each other."""
        return [each for _ in range(1 + self._tape.chance(0.2, f"second {site}")) for each in self._plain(site, *words)]

    # ── Lists ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def side(self) -> list[bytes]:
        return self._plain("side", b"LEFT", b"RIGHT")

    def where(self) -> list[bytes]:
        return self._plain("where", b"BEFORE", b"AFTER")

    def lpos_option(self) -> list[bytes]:
        option = self._tape.choice((b"RANK", b"COUNT", b"MAXLEN"), "option of LPOS")
        return [option, *self.count()]

    # ── Streams ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def new_id(self) -> list[bytes]:
        """An ID that is often higher than those before, and one of few, so that others meet it."""
        match self._tape.weighted(((6, "next"), (5, "plain"), (1, "odd")), "kind of ID"):
            case "next":
                return [b"%d-*" % _LAST_MS]
            case "plain":
                sequence = self._tape.weighted(((3, b"*"), (2, b"1"), (1, b"2"), (1, b"0")), "ID, sequence")
                return [b"%d-%b" % (self._tape.below(_LAST_MS, "ID, ms"), sequence)]
        return self._plain("odd ID", b"0-1", b"0-0", b"5", b"a", b"18446744073709551615-18446744073709551615", b"1-a")

    def old_id(self) -> list[bytes]:
        ms = _LAST_MS if self._tape.chance(0.6, "last ms") else self._tape.below(_LAST_MS, "ID, ms")
        return [b"%d-%d" % (ms, self._tape.below(4, "ID, sequence"))]

    def last_ids(self) -> list[bytes]:
        return [b"%d-%d" % (_LAST_MS, sequence) for sequence in range(self._tape.between(1, 4, "number of last IDs"))]

    def after_id(self) -> list[bytes]:
        return [b"0"] if self._tape.chance(0.6, "from the beginning") else self.old_id()

    def id_end(self) -> list[bytes]:
        match self._tape.choice(("-", "+", "id", "ms", "open"), "end of IDs"):
            case "id":
                return self.old_id()
            case "ms":
                return [b"%d" % self._tape.below(_LAST_MS + 1, "ID, ms")]
            case "open":
                return [b"(" + self.old_id()[0]]
            case sign:
                return [sign.encode()]

    def xcount(self) -> list[bytes]:
        return [b"COUNT", *self.count()]

    def trim(self) -> list[bytes]:
        if self._tape.chance(0.3, "MINID"):
            return [b"MINID", *self.old_id()]
        return [b"MAXLEN", *([b"="] if self._tape.chance(0.5, "=") else []), *self.count()]

    def group(self) -> list[bytes]:
        return self._one("group", (4, b"g"), (1, b"h"))

    def consumer(self) -> list[bytes]:
        return self._plain("consumer", b"x", b"y")

    def read_id(self) -> list[bytes]:
        return [b">"] if self._tape.chance(0.85, "new entries") else self.after_id()

    def last_id(self) -> list[bytes]:
        return [b"$"]

    def new_only(self) -> list[bytes]:
        return [b">"]
