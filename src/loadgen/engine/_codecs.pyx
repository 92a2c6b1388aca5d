"""The codec that a plan's target asks for. This file does not know connections."""

from loadgen._binary cimport MemcacheBinary
from loadgen._memcache cimport Memcache
from loadgen._meta cimport MemcacheMeta
from loadgen._resp cimport Resp
from loadgen.engine._chain cimport siblings_of


cdef Codec codec_of(plan, Commands table, uint64_t run):
    target, keyspace = plan.target, plan.workload.keyspace
    speaks, wire = target.speaks, target.memcache
    siblings = siblings_of(plan)
    own = {"prefix": keyspace.prefix.encode(), "commands": table, "run": run, "username": target.username,
           "password": target.password}
    length, value_bytes = keyspace.length, plan.workload.value_bytes
    ttl = plan.workload.ttl_ns // speaks.ttl_unit_ns
    if speaks.dialect == "meta":
        return MemcacheMeta(length, value_bytes, ttl_s=ttl, quiet=wire.quiet, opaque=wire.opaque,
                            base64_keys=wire.base64_keys, return_key=wire.return_key, get_flags=wire.get_flags, **own)
    if speaks.dialect == "binary":
        return MemcacheBinary(length, value_bytes, ttl_s=ttl, quiet=wire.quiet, return_key=wire.return_key, **own)
    if speaks.wire == "memcache":
        return Memcache(length, value_bytes, ttl_s=ttl, quiet=wire.quiet, siblings=siblings, **own)
    return Resp(length, value_bytes, version=speaks.version, database=target.database, ttl_ms=ttl,
                tracking=target.tracking_options, siblings=siblings, by_slot=target.by_slot, **own)
