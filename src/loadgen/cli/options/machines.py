"""The flags of the verbs whose work can be spread over machines."""

from __future__ import annotations

from loadgen.cli.options.kind import FILE_NAME, TEXT, TIME_NS, whole
from loadgen.cli.options.option import Option, OptionGroup

MACHINES = OptionGroup(
    "machines",
    (
        Option(("--on",), "have agents there do the work, by halves, thirds …: local:N, ssh:HOST,…, tcp:HOST:PORT,…, "
               "listen:PORT:N, dask:tcp://HOST:PORT, dask:local:N or fly:APP:N", TEXT, "WHERE", also=("--provider",)),
        Option(("--machines",), "the same as --on local:N", whole("N", 1, 256)),
        Option(("--token-file",), "file with the token that agents ask for (also: LOADGEN_TOKEN)", FILE_NAME, "FILE"),
        Option(("--remote-command",), "what runs loadgen on a host of ssh:… (default: loadgen; also: LOADGEN_REMOTE)",
               TEXT, "COMMAND"),
        Option(("--expect-wait",), "how long agents of tcp:…, listen:…, dask:… and fly:… are waited for", TIME_NS),
        Option(("--dry-run",), "launch the agents, print what each would do, and stop before the load"),
    ),
)  # fmt: skip
