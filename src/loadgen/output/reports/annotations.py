"""A gate's answer as workflow commands, which GitHub shows beside the change.

Source: docs.github.com/actions/reference/workflows-and-actions/workflow-commands. `escape` escapes text from outside.
"""

import contextlib
import sys

from loadgen.compare.answers import Compared, GateAnswer
from loadgen.escape import workflow_message, workflow_property
from loadgen.output.words import comparison
from loadgen.stats.sequential import Shift

_LONGEST = 1000


def write_annotations(compared: Compared) -> None:
    """Print the commands on standard error without further escaping, as GitHub parses them. Ignore errors."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(*annotations(compared), sep="\n", end="\n" * bool(annotations(compared)), file=sys.stderr, flush=True)


def annotations(compared: Compared) -> list[str]:
    """Return the commands: none for PASS, an error for each metric that is worse (FAIL), an error that the gate could
    not run (ERROR), or a warning that there is no answer (INCONCLUSIVE, REFUSED)."""
    against = f"{comparison.candidate(compared.b)} against {comparison.candidate(compared.a)}"
    match compared.verdict:
        case GateAnswer.PASS:
            return []
        case GateAnswer.FAIL:
            worse = [row for row in compared.rows if row.answer is Shift.WORSE]
            told = [(f"loadgen: {comparison.label(row.metric)} is worse", row) for row in worse]
            return [
                _command("error", title, f"{comparison.sentence(row, compared)} ({against})") for title, row in told
            ]
        case verdict:
            title = f"loadgen gate: {verdict}"
            kind = "error" if verdict is GateAnswer.ERROR else "warning"
            return [_command(kind, title, f"{'; '.join(comparison.reasons(compared))} ({against})")]


def _command(kind: str, title: str, message: str) -> str:
    return f"::{kind} title={workflow_property(title)}::{workflow_message(message, _LONGEST)}"
