"""The flags of the verbs whose work can be spread over machines."""

from __future__ import annotations

from loadgen.cli.options.kind import FILE_NAME, TEXT, whole
from loadgen.cli.options.option import Option, OptionGroup

MACHINES = OptionGroup(
    "machines",
    (
        Option(("--on",), "have agents there do the work, by halves, thirds …: local:N, ssh:HOST,…, tcp:HOST:PORT,…, "
               "listen:PORT:N, dask:tcp://HOST:PORT or dask:local:N", TEXT, "WHERE", also=("--provider",)),
        Option(("--machines",), "the same as --on local:N", whole("N", 1, 256)),
        Option(("--token-file",), "file with the token that agents ask for (also: LOADGEN_TOKEN)", FILE_NAME, "FILE"),
        Option(("--dry-run",), "launch the agents, print what each would do, and stop before the load"),
    ),
)  # fmt: skip
