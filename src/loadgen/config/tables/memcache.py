"""`[target.memcache]`: the forms of requests to memcache servers."""

from __future__ import annotations

from pydantic import Field, field_validator

from loadgen.config.tables.refused import ProblemCode, Refused
from loadgen.config.tables.table import Table

FLAGS = "cfhlstuv"
"""The flags of `mg` that take no token and change nothing (memcached's doc/protocol.txt), but for those that have keys
of their own."""


class Memcache(Table):
    """The forms of requests to memcache servers."""

    quiet: bool = Field(
        default=False,
        description=(
            "Have the load's requests answered only if there is something to say: sets and deletes with noreply "
            '("memcache"), requests with the flag q ("memcache-meta"), or GetQ, SetQ and DeleteQ ("memcache-binary"). '
            "Behind each batch goes a no-op, whose reply ends the silence: a get that is not answered is a miss, a set "
            "is stored, a delete has deleted. Greetings and the prefill are answered."
        ),
    )
    opaque: bool = Field(
        default=True,
        description=(
            "Number the requests by opaque tokens, by which a reply to another request is found. "
            '"memcache-meta" only; "memcache-binary" always has them.'
        ),
    )
    base64_keys: bool = Field(default=False, description='Send keys in base64 (the flag b). "memcache-meta" only.')
    return_key: bool = Field(
        default=False,
        description=(
            "Have the key of a hit returned, and compare it: the flag k, or GetK. "
            '"memcache-meta" and "memcache-binary" only; a reply in "memcache" always has it.'
        ),
    )
    get_flags: str = Field(
        default="v",
        description=(
            f"The flags of mg, of {', '.join(FLAGS)}: v returns the value, without which a hit is HD; "
            'see memcached\'s protocol.txt for the others. "memcache-meta" only.'
        ),
        examples=["vtf"],
    )

    @field_validator("get_flags")
    @classmethod
    def _known_once(cls, flags: str) -> str:
        for index, flag in enumerate(flags):
            if flag not in FLAGS:
                raise Refused(
                    ProblemCode.UNKNOWN_NAME,
                    f'has "{flag}", which is none of {", ".join(FLAGS)}; k, O, b and q have keys of their own',
                )
            if flag in flags[:index]:
                raise Refused(ProblemCode.TWICE, f'has "{flag}" twice; write each flag once')
        return flags
