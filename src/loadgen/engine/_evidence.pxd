# What a lane's connections say about a pause of the generator: see `_busy.Evidence`, which these functions fill in.

from libc.stdint cimport int64_t

from loadgen.engine._connection cimport Connection
from loadgen.engine._lane cimport Lane
from loadgen.engine._transport cimport Transport


# On waking from a pause of `pause_ns`, before anything that came in the pause has been read.
cdef void evidence_before(Lane lane, Connection *connections, Transport net, int64_t pause_ns) noexcept
# Once everything that came in the pause has been read, and before anything is sent.
cdef void evidence_after(Lane lane, Connection *connections) noexcept
