"""What a command without monitors imports: nothing that reads, and nothing that judges a soak."""

from __future__ import annotations

import subprocess
import sys

VALUES = {"json_path", "kinds", "metric", "plan", "reading", "report", "series"}
"""The modules of the room that events and the tables of the configuration are made of: values, without I/O."""

PROGRAM = """
import sys
import loadgen.cli.session, loadgen.output.formats.clean, loadgen.output.formats.remark, loadgen.runner.beside
from loadgen import config
settings = config.load(None, ['check=[{expr = "p99 < 1s"}]'])
config.resolve(settings), config.monitors(settings), config.judging(settings)
with loadgen.runner.beside.opened((), None, None):
    judges = ("loadgen.soak.verdict", "loadgen.stats.growth")
    costly = ("loadgen.monitors.", "loadgen.web.get", "prometheus_client", *judges)
    print(*sorted(name for name in sys.modules if name.startswith(costly)))
"""


def test_a_load_without_monitors_imports_nothing_that_reads_or_that_judges_a_soak() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert {name.removeprefix("loadgen.monitors.") for name in done.stdout.split()} <= VALUES
