"""The ending of every verb has its exit status."""

import pytest
from rendered import ALL

from loadgen.errors import ExitCode
from loadgen.events import Ending
from loadgen.severity import Severity

STATUS = {
    "closed_loop": ExitCode.YES,
    "errors_of_all_kinds": ExitCode.CANNOT_TELL,
    "busy": ExitCode.YES,
    "failed": ExitCode.NO,
    "interrupted": ExitCode.INTERRUPTED,
    "objectives": ExitCode.NO,
    "unbalanced": ExitCode.CANNOT_TELL,
    "zero_requests": ExitCode.INTERRUPTED,
    "search_found": ExitCode.YES,
    "search_knee": ExitCode.CANNOT_TELL,
    "search_generator_limited": ExitCode.CANNOT_TELL,
    "search_interrupted": ExitCode.INTERRUPTED,
    "search_failed": ExitCode.COULD_NOT_RUN,
    "smoke_passed": ExitCode.YES,
    "smoke_failed": ExitCode.NO,
    "smoke_not_up": ExitCode.NO,
    "smoke_doubtful": ExitCode.CANNOT_TELL,
    "smoke_interrupted": ExitCode.INTERRUPTED,
    "gate_passed": ExitCode.YES,
    "gate_failed": ExitCode.NO,
    "gate_inconclusive": ExitCode.CANNOT_TELL,
    "gate_refused": ExitCode.CANNOT_TELL,
    "gate_could_not_run": ExitCode.COULD_NOT_RUN,
    "compare_better": ExitCode.YES,
    "compare_interrupted": ExitCode.INTERRUPTED,
    "compare_noise": ExitCode.YES,
    "compare_noise_interrupted": ExitCode.INTERRUPTED,
}


@pytest.mark.parametrize("run", STATUS)
def test_an_ending_has_its_exit_status(run: str) -> None:
    ended = ALL[run]()[-1]
    assert isinstance(ended, Ending)
    assert ended.exit_code is STATUS[run]


def test_every_severity_but_good_is_an_ending_that_is_not_yes() -> None:
    assert [severity for severity in Severity if severity.code is ExitCode.YES] == [Severity.GOOD]
