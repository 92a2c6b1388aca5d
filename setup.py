"""Compiles every `_*.pyx` under src/loadgen into an extension of its own, and packs the presets.

Everything else is said in pyproject.toml.

LOADGEN_TRACE=1 builds with line tracing, for `make cover`; it is too slow to measure anything with.
LOADGEN_ANNOTATE=1 writes an .html beside each .pyx that shows which lines touch Python.
LOADGEN_OPTIMIZE=0 compiles in a fraction of the time what is only to be looked at, as the test of the packages does.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

TRACE = os.environ.get("LOADGEN_TRACE") == "1"
OPTIMIZE = os.environ.get("LOADGEN_OPTIMIZE", "3")
TRACE_MACROS = [("CYTHON_TRACE", "1"), ("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")]

extensions = [
    Extension(
        ".".join(source.relative_to("src").with_suffix("").parts),
        [str(source)],
        extra_compile_args=[f"-O{OPTIMIZE}", "-g0", "-fvisibility=hidden", "-fno-math-errno"],
        define_macros=TRACE_MACROS if TRACE else [],
    )
    for source in sorted(Path("src/loadgen").rglob("_*.pyx"))
]


class BuildExtensions(build_ext):
    """Has Cython make C of what has changed, when something is built: packing the sources needs none."""

    def build_extensions(self):
        processes = os.cpu_count() or 1
        self.parallel = self.parallel or processes
        made = cythonize(
            [Extension(extension.name, extension.sources) for extension in self.extensions],
            nthreads=processes if self.parallel > 1 else 0,
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
        )
        sources = {extension.name: extension.sources for extension in made}
        for extension in self.extensions:
            extension.sources = sources[extension.name]
        super().build_extensions()


# The folders of presets in the repository, and in the package: `loadgen.config.presets` looks in both.
PRESETS = {"benchmark/config": "config", "server/config": "server"}


class BuildPresets(build_py):
    """Copies the presets into the package as it is built. An editable install reads them where they are."""

    def run(self):
        super().run()
        if not self.editable_mode:
            for source, target in self.presets():
                self.mkpath(str(Path(target).parent))
                self.copy_file(source, target)

    def presets(self):
        """Each preset in the repository, and where it is in the package that is being built."""
        for folder, shelf in PRESETS.items():
            for source in sorted(Path(folder).glob("*.toml")):
                yield str(source), str(Path(self.build_lib, "loadgen", "share", shelf, source.name))

    def get_outputs(self, include_bytecode=True):
        return [*super().get_outputs(include_bytecode), *(target for _, target in self.presets())]


setup(cmdclass={"build_ext": BuildExtensions, "build_py": BuildPresets}, ext_modules=extensions)
