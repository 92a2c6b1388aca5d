"""The checks of a trial: what a client must have done under a fault, whatever client it is. Pure functions.

Each check is applied to the evidence, and passes, fails or cannot tell. A check of what a client does not expose is not
vital: its None makes no trial untold. Limits on the client's own time are held against service times: the wait before,
until a caller was free, is in the response times that users are shown. Where waits of the callers for a CPU explain all
of what is beyond a limit on time (`lateness`), the check cannot tell.

`every` lists the checks, `ends` has those of how faults and operations ended.
"""
