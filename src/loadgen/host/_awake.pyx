"""The loop of a process that keeps a CPU from sleeping."""

cdef extern from * nogil:
    """
    #include <unistd.h>

    /* Each turn waits for the one before it, so that a sibling on the same core keeps most of it. PAUSE would do so
       better, and have a hypervisor give the CPU away: it takes many of them for a wait on a lock. */
    static inline void loadgen_turn(void) {
        static volatile unsigned count;
        count = count + 1;
    }
    """
    int getppid()
    void turn "loadgen_turn"()

# A millisecond or so.
cdef enum:
    TURNS = 1_000_000


def stay(int parent):
    """Runs until another process than `parent` is the parent."""
    cdef int _turn
    with nogil:
        while getppid() == parent:
            for _turn in range(TURNS):
                turn()
