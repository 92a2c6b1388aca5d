# The route of a target's endpoints, by the name of its rule.

from loadgen.engine._route cimport Route


# Return the route over the endpoints of a `plan.Target`. A rule by which any endpoint takes any key has one lane for
# all of them.
cdef Route route_of(target, int key_length, count, bytes prefix)
