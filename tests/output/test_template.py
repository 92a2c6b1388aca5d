"""Templates of reports: what is wrong with one is said in a sentence with its line, and what comes in is harmless."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadgen.errors import UsageError
from loadgen.output.reports.template import MOST_BYTES, Template
from loadgen.output.reports.templates import SHIPPED

FIELDS = {"baseline": "GOR=95", "rows": [{"name": "fds", "growth": 2}], "verdict": "PASS", "nothing": None}


def template(folder: Path, text: str | bytes, name: str = "mine.md") -> Template:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return Template(str(path))


def test_fields_take_their_places(tmp_path: Path) -> None:
    text = "# {{ verdict }}\n{% for row in rows %}\n| {{ row.name }} | {{ row.growth + 1 }} |\n{% endfor %}\n"
    text += "{{ nothing }}\n"
    assert template(tmp_path, text).render(FIELDS) == "# PASS\n| fds | 3 |\n-\n"


EVIL = "</td>|\n# <b>\x1b[2J*x*"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.md", r"&lt;/td&gt;&#124;\\n\# &lt;b&gt;\\x1b\[2J\*x\*"),
        ("a.html", r"&lt;/td&gt;|\n# &lt;b&gt;\x1b[2J*x*"),
        ("a.xml", r"&lt;/td&gt;|\n# &lt;b&gt;\x1b[2J*x*"),
        ("a.txt", r"</td>|\n# <b>\x1b[2J*x*"),
    ],
)
def test_values_are_escaped_for_what_the_template_is(name: str, words: str, tmp_path: Path) -> None:
    assert template(tmp_path, "{{ x }}", name).render({"x": EVIL}) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\n\n{{ verdct }}", 'mine.md:3: there is no field "verdct"; did you mean verdict?'),
        ("{{ zzz }}", 'mine.md:1: there is no field "zzz"; there are baseline, nothing, rows, verdict.'),
        ("{% for row in rows %}\n{{ row.rate }}{% endfor %}", 'mine.md:2: there is no field "rate" there'),
        ("{% for row in zzz %}{% endfor %}", 'mine.md:1: there is no field "zzz"'),
        ("a\n{% if %}", "mine.md:2: Expected an expression, got 'end of statement block'."),
        ("{% for x in rows %}", "mine.md:1: Unexpected end of template."),
        ("{{ verdict|nope }}", "mine.md:1: No filter named 'nope'."),
        ("\n{{ verdict + 1 }}", "mine.md:2: can only concatenate str"),
        ("{{ 1 / 0 }}", "mine.md:1: division by zero."),
        ("{{ rows[7].name }}", "mine.md:1: "),
        ("{{ rows.__class__.__mro__ }}", "mine.md:1: "),
        ("{% for x in range(10 ** 9) %}{% endfor %}", "mine.md:1: Range too big."),
        ("{% include 'other' %}", "mine.md:1: "),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "mine.md:1: "),
    ],
)
def test_what_is_wrong_with_a_template_is_said_with_its_line(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        template(tmp_path, text).render(FIELDS)
    assert words in str(raised.value)
    assert str(raised.value).endswith((".", "?"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"\xff\xfe\x00", "is not UTF-8"), (b"x" * (MOST_BYTES + 1), "is larger than 1 MiB")],
)
def test_a_file_that_is_no_template_is_refused(data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        template(tmp_path, data)


def test_a_template_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"nope.md: cannot be read \(No such file or directory\); report.md and soak.md"
    ):
        Template(str(tmp_path / "nope.md"))


def test_a_file_of_the_users_wins_over_one_that_comes_with_loadgen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in SHIPPED:
        Path(name).write_text("mine")
        assert Template(name).render({}) == "mine"
