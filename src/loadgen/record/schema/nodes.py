"""The servers of a load in the records `sample` and `result`. No I/O."""

from __future__ import annotations

from loadgen.record.schema.field import field, fields, part
from loadgen.record.schema.latency import LATENCY, US, marked
from loadgen.record.schema.shape import (
    COUNT,
    NUMBER_OR_NULL,
    PERCENT_OR_NULL,
    TEXT,
    array_of,
    map_of,
    object_of,
)

NODE_COUNTS = {
    "requests": "requests",
    "sent": "sent",
    "ok": "ok",
    "hits": "hits",
    "misses": "misses",
    "errors": "error_replies",
    "timeouts": "timeouts",
    "lost": "lost",
    "corrupt": "corrupt",
    "unfinished": "unfinished",
    "unsent": "unsent",
}
"""By field or property of a NodeCounts, the name in records, which is that of a result's own counts."""

NODE = part(
    field("name", TEXT, "the endpoint as it was configured; of a cluster's shard, the address of its first node"),
    field("share", NUMBER_OR_NULL, "its part of all `requests`; null when there were none"),
    field(
        "intended_share",
        NUMBER_OR_NULL,
        "the part that it was to have: that of the keys which belong to it, by their popularity; null when not known",
    ),
    fields(
        {"throughput": COUNT, "responses_in_time": COUNT},
        "replies that came within the window, per second and in all, as in `result`",
    ),
    fields(
        dict.fromkeys(NODE_COUNTS.values(), COUNT),
        "where its requests ended, as in `counts`, with `requests` for `planned`, and `hits` and `misses` of its GETs; "
        "`sent` are those whose last byte went to the kernel. Over all nodes they add up to those of the result. "
        "Backfills are left out",
    ),
    field("hit_pct", PERCENT_OR_NULL, "`hits` in percent of `hits` and `misses`"),
    field("latency", LATENCY, "response times of its requests, see below"),
    field(
        "connections",
        object_of(dict.fromkeys(("ready", "wanted", "opened", "failed", "closed"), COUNT)),
        "those that were ready at the end and those that were to be, and as in `connections` over all phases "
        "`opened`, `failed` and `closed`",
    ),
)

NODES = field(
    "nodes",
    array_of(NODE.schema),
    "of a load on several servers, one for each, in the order of the configuration, see below",
    optional=True,
)

REDIRECTS = field(
    "redirects",
    map_of(COUNT),
    "answers of a cluster's nodes after which a request was sent again: `moved`, `ask`, `tryagain`, `clusterdown`, "
    "`loading`, `readonly`; and in `redirected` the requests that had at least one. Absent when there were none",
    optional=True,
)

IN_SAMPLE = field(
    "nodes",
    array_of(
        object_of(
            {
                "name": TEXT,
                "ok": COUNT,
                "errors": COUNT,
                **marked(US),
                "ready": COUNT,
                "wanted": COUNT,
            }
        )
    ),
    "of a load on several servers, one for each: `name`; good replies (`ok`) and requests without one (`errors`) in "
    "the interval; the fields from `p50_us` on; connections that were `ready` at its end, of those `wanted`",
    optional=True,
)
