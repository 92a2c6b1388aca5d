"""The table of several tests of jobs, as wide as a line allows. It does not know how it is coloured."""

from __future__ import annotations

from loadgen.jobs.load.ended import JobsCompared
from loadgen.output.paper.grid import fits, fitting, grid
from loadgen.output.words import jobs_compared


def compared(event: JobsCompared) -> tuple[list[int], list[str]]:
    """Return the table of several tests as lines, and the places of its columns: as many as a line has room for."""
    headings, rows = jobs_compared.headings(event), jobs_compared.rows(event)
    left_out = [headings.index(heading) for heading in jobs_compared.LEFT_OUT if heading in headings]
    if not fits(headings, rows, [*range(len(headings))]):
        headings = jobs_compared.short_headings(event)
    places = fitting(headings, rows, left_out)
    return places, grid(headings, rows, places)
