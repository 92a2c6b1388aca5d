"""A refused value: a code for programs and tests, and a sentence for the user."""

from __future__ import annotations

from enum import StrEnum


class ProblemCode(StrEnum):
    """The kind of a problem with keys. The words of a problem may change from version to version, a code does not."""

    # One key or table.
    UNKNOWN = "unknown"
    MISSING = "missing"
    WRONG_TYPE = "wrong-type"
    NO_CHOICE = "no-choice"
    EMPTY = "empty"
    MALFORMED = "malformed"
    TOO_SMALL = "too-small"
    TOO_LARGE = "too-large"
    NOT_A_MULTIPLE = "not-a-multiple"
    TWICE = "twice"
    BAD_CHARACTER = "bad-character"
    BAD_NAME = "bad-name"
    BAD_PLACEHOLDER = "bad-placeholder"
    MATCHES_ALL = "matches-all"
    NOT_SUPPORTED = "not-supported"
    NO_SERVER = "no-server"
    NO_PROGRAM = "no-program"
    NO_OBJECTIVE = "no-objective"
    RATES_OF_SHAPE = "rates-of-shape"
    NOT_FOR_SHAPE = "not-for-shape"
    NO_BURST = "no-burst"
    NOT_OF_KIND = "not-of-kind"
    INVALID = "invalid"
    """Any other error of pydantic's."""

    # Several keys, or keys and this machine.
    TWO_SPELLINGS = "two-spellings"
    NOT_OF_A_SERVER = "not-of-a-server"
    ABSENT_CPU = "absent-cpu"
    TWO_TARGETS = "two-targets"
    NO_PORT = "no-port"
    RESP_ONLY = "resp-only"
    RESP3_ONLY = "resp3-only"
    NO_PASSWORD = "no-password"
    NO_USERNAME = "no-username"
    TWO_PASSWORDS = "two-passwords"
    TLS_UNUSABLE = "tls-unusable"
    NO_CERTIFICATE = "no-certificate"
    FEW_CONNECTIONS = "few-connections"
    KEYS_DO_NOT_FIT = "keys-do-not-fit"
    SERVER_WITHOUT_KEYS = "server-without-keys"
    PROTOCOL_LIMIT = "protocol-limit"
    NOTHING_TO_SEND = "nothing-to-send"
    NO_KEYS = "no-keys"
    EXPIRES = "expires"
    START_ABOVE_MAX = "start-above-max"
    TWO_RATES = "two-rates"
    TOO_LONG = "too-long"
    MANY_SEGMENTS = "many-segments"
    NEVER_JUDGED = "never-judged"
    NO_NODE = "no-node"
    WITHOUT_EFFECT = "without-effect"
    UNKNOWN_NAME = "unknown-name"
    NO_CONDITION = "no-condition"
    NEVER_BEGINS = "never-begins"
    NO_KNOWN_LENGTH = "no-known-length"
    FAULTS_IN_A_SEARCH = "faults-in-a-search"
    NEVER_USED = "never-used"
    ABSENT_ADDRESS = "absent-address"
    FEW_PORTS = "few-ports"

    CAUTION = "caution"
    """No error: a key that is not acted on as it stands."""


class Refused(ValueError):
    """A value that a table refuses. A plain ValueError of a validator has the code MALFORMED."""

    def __init__(self, code: ProblemCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
