"""The keys of both protocols: 1 to 250 bytes without blanks and control characters. Sans-IO."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

from loadgen.client.errors import BadKey

cdef enum:
    MOST_BYTES = 250


def checked(key):
    """Return a key as the bytes that are sent. Raises BadKey."""
    cdef bytes sent = (<str>key).encode() if type(key) is str else bytes(key)
    cdef const unsigned char *text = <const unsigned char *>PyBytes_AS_STRING(sent)
    cdef Py_ssize_t length = PyBytes_GET_SIZE(sent), at
    cdef bint well = 0 < length <= MOST_BYTES
    if well:
        for at in range(length):
            well &= text[at] > 0x20 and text[at] != 0x7F
    if well:
        return sent
    raise BadKey("the key must have 1 to 250 bytes, without blanks and control characters", key=sent)
