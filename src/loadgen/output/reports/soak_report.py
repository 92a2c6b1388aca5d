"""The report of a soak from its run folder: its template filled in, and the pictures of its series beside it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from loadgen.errors import OutputError
from loadgen.output.paper.sink import write_file
from loadgen.output.reports.soak_fields import fields
from loadgen.output.reports.soak_pictures import pictures
from loadgen.output.reports.template import Template
from loadgen.soak.folder import KeptRun
from loadgen.soak.recall import recalled
from loadgen.soak.store import Store
from loadgen.version import __version__

PLOTS = "plots"
"""The folder of pictures in a run folder."""


def report(run: KeptRun, template: Template, path: Path) -> str:
    """Write the pictures into the run folder, and return the report of the template.

    `path` is where the report will be, for its links. Raises UsageError for a folder or a template that is wrong, and
    OutputError when the pictures cannot be written.
    """
    ended = recalled(run, __version__)
    store = _store(run, ended.asked.schedule.rows, ended.asked.counted)
    folder = run.path / PLOTS
    base = path.parent
    plots = []
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"the pictures could not be written to {folder}: {error.strerror or error}") from None
    for each in pictures(ended, store, run.events):
        write_file(str(folder / each.file), each.document)
        plots.append(
            {
                "series": each.series,
                "file": _link(folder / each.file, base),
                "title": each.title,
                "judged": each.is_judged,
            }
        )
    told = fields(ended, run.run, [event for event in run.events if event.get("words")], _means(store), plots)
    return template.render({**told, "plots_folder": os.path.relpath(folder, base)})


def _link(file: Path, base: Path) -> str:
    """Return the relative URL of a file, as Markdown and HTML take it: a space would end it."""
    return quote(os.path.relpath(file, base))


def _store(run: KeptRun, rows: int, counted: tuple[str, ...]) -> Store:
    store = Store(rows, counted)
    for row in run.rows():
        store.add(row)
    return store


def _means(store: Store) -> dict[str, float]:
    """Return the mean of each series over the soak, without settling."""
    found = {}
    for name in store.names:
        values = store.points(name, 0.0).values
        if values:
            found[name] = sum(values) / len(values)
    return found
