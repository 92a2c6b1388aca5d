"""Compiles every `src/loadgen/_*.pyx` into an extension of its own; everything else is said in pyproject.toml.

LOADGEN_TRACE=1 builds with line tracing, for `make cover`; it is too slow to measure anything with.
LOADGEN_ANNOTATE=1 writes an .html beside each .pyx that shows which lines touch Python.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

TRACE = os.environ.get("LOADGEN_TRACE") == "1"
TRACE_MACROS = [("CYTHON_TRACE", "1"), ("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")]

extensions = [
    Extension(
        f"loadgen.{source.stem}",
        [str(source)],
        extra_compile_args=["-O3", "-g0", "-fvisibility=hidden", "-fno-math-errno"],
        define_macros=TRACE_MACROS if TRACE else [],
    )
    for source in sorted(Path("src/loadgen").glob("_*.pyx"))
]

setup(
    ext_modules=cythonize(
        extensions,
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "freethreading_compatible": True,
            "linetrace": TRACE,
        },
        annotate=os.environ.get("LOADGEN_ANNOTATE") == "1",
    ),
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
