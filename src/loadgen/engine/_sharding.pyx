"""The rules by which requests are spread over several endpoints. Those of a cluster are in `_slots`."""

from loadgen.engine._jump cimport Jump
from loadgen.engine._ketama cimport Ketama


cdef Route route_of(target, int key_length, count, bytes prefix):
    return route(target.sharding, [str(each) for each in target.endpoints], key_length, count, prefix)


def route(str sharding, names, int key_length, count, bytes prefix):
    """Return the route over the servers of these names ("host:port"), as `plan.Target.sharding` names it.

    Raises ValueError when a server would own none of `count` keys.
    """
    if sharding == "ketama":
        return Ketama(names, key_length, count, prefix)
    return Jump(len(names), key_length, count, prefix) if sharding == "jump" else Route()
