"""The asyncio tasks of this process, found among all objects without letting another thread run meanwhile.

A list of all objects holds tuples that other threads are still making. A tuple with a second reference cannot be made
to its end: CPython raises SystemError in the thread that makes the tuple (bpo-15108). Compiled code keeps the
interpreter's lock until the list is gone, and Python code does not.
"""

import asyncio
import gc

from cpython.object cimport PyObject, PyTypeObject
from cpython.type cimport PyType_IsSubtype

cdef extern from "Python.h":
    PyTypeObject *Py_TYPE(object)

cdef object TASK = asyncio.Task


def all_tasks() -> list:
    """Return the tasks of all event loops, those that have ended too."""
    cdef list found = [], objects = gc.get_objects()
    for each in objects:
        if PyType_IsSubtype(<type><PyObject *>Py_TYPE(each), TASK):
            found.append(each)
    return found
