# The evidence of a lane's connections about a pause of the generator. These functions fill in `_busy.Evidence`.

from libc.stdint cimport int64_t

from loadgen.engine._connection cimport Connection
from loadgen.engine._lane cimport Lane
from loadgen.engine._transport cimport Transport


# Call on waking from a pause of `pause_ns`, before anything that arrived in the pause is read.
cdef void evidence_before(Lane lane, Connection *connections, Transport net, int64_t pause_ns) noexcept
# Call once everything that arrived in the pause has been read, before anything is sent.
cdef void evidence_after(Lane lane, Connection *connections) noexcept
