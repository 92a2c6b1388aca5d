"""The loop of a process that keeps a CPU from sleeping."""

cdef extern from * nogil:
    """
    #include <unistd.h>

    /* Each turn depends on the turn before it, so a sibling on the same core keeps most of the core. PAUSE would leave
       the sibling more, but a hypervisor takes many PAUSEs for a wait on a lock and gives the CPU away. */
    static inline void loadgen_turn(void) {
        static volatile unsigned count;
        count = count + 1;
    }
    """
    int getppid()
    void turn "loadgen_turn"()

# The turns between two calls of getppid: about a millisecond.
cdef enum:
    TURNS = 1_000_000


def stay(int parent):
    """Keep the CPU busy until `parent` is no longer the parent process."""
    cdef int _turn
    with nogil:
        while getppid() == parent:
            for _turn in range(TURNS):
                turn()
