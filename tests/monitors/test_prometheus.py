"""Pages of metrics: the values that are wanted, and a clear sentence for a page that does not have them."""

import pytest

from loadgen.judge.expression.dimension import COUNT, NUMBER, SHARE, SIZE, TIME
from loadgen.judge.expression.vocabulary import Over
from loadgen.monitors.metric import Metric, parse_metric
from loadgen.monitors.monitor import Unreadable
from loadgen.monitors.prometheus import USUAL, parse_page
from loadgen.web.get import Page

TEXT = b"""\
# HELP go_goroutines Number of goroutines that currently exist.
# TYPE go_goroutines gauge
go_goroutines 42
# TYPE http_requests_total counter
http_requests_total{code="200",path="/a"} 100
http_requests_total{code="200",path="/b"} 20 1700000000000
http_requests_total{code="500",path="/a \\"x\\", y"} 3
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.76447369167e+09
process_cpu_seconds_total 1.5
process_resident_memory_bytes 1.2e+07
process_open_fds 9
temperature NaN
rpc_duration_seconds_bucket{le="+Inf"} 7
"""
IDENTITY = "started 1764473691.67"


def page(text: bytes, media_type: str = "text/plain") -> Page:
    return Page(200, media_type, text)


def parsed(text: bytes, media_type: str = "text/plain", *, needs_all: bool = True, **wanted: str) -> dict[str, float]:
    found = parse_page(
        page(text, media_type), {name: parse_metric(of) for name, of in wanted.items()}, needs_all=needs_all
    )
    assert found.lacking == ""
    return dict(found.values)


def test_values_are_in_base_units_and_samples_of_one_metric_are_summed() -> None:
    assert parsed(
        TEXT,
        goroutines="go_goroutines",
        requests="http_requests_total",
        good='http_requests_total{code="200"}',
        one='http_requests_total{path="/a \\"x\\", y"}',
        cpu="process_cpu_seconds_total",
        under='rpc_duration_seconds_bucket{le="+Inf"}',
    ) == {"goroutines": 42, "requests": 123, "good": 120, "one": 3, "cpu": 1.5e9, "under": 7}


def test_the_time_of_start_tells_one_process_from_the_next() -> None:
    wanted = {"goroutines": Metric("go_goroutines")}
    assert parse_page(page(TEXT), wanted, needs_all=True).identity == IDENTITY
    assert parse_page(page(b"go_goroutines 1\n"), wanted, needs_all=True).identity == ""


def test_without_a_map_the_usual_metrics_are_read_as_far_as_they_are_there() -> None:
    assert parsed(TEXT, needs_all=False, **USUAL) == {"rss": 1.2e7, "fds": 9, "cpu_time": 1.5e9, "goroutines": 42}
    assert parsed(b"process_open_fds 5\n", needs_all=False, **USUAL) == {"fds": 5}
    with pytest.raises(Unreadable, match=r"^answered metrics, but the metric process_.* is not there; there are x"):
        parsed(b"x 1\n", needs_all=False, **USUAL)


def test_a_number_that_is_none_is_no_value_and_no_error() -> None:
    assert parsed(TEXT, t="temperature", fds="process_open_fds") == {"fds": 9}


def test_openmetrics_has_the_same_values() -> None:
    text = b'# TYPE x counter\nx_total{a="b"} 5 # {trace="1"} 0.5 1700000000.0\nx_created{a="b"} 1.7e9\n# EOF\n'
    assert parsed(text, "application/openmetrics-text", x='x_total{a="b"}') == {"x": 5}


def test_a_metric_that_is_not_there_is_named_with_the_nearest_and_the_others_are_read() -> None:
    wanted = {"a": Metric("go_gorutines"), "fds": Metric("process_open_fds")}
    found = parse_page(page(TEXT), wanted, needs_all=True)
    assert found.values == {"fds": 9}
    assert found.lacking == "the metric go_gorutines is not there; there are go_goroutines"


@pytest.mark.parametrize(
    ("body", "media_type", "metric", "sentence"),
    [
        (b"<!DOCTYPE html><html>", "text/plain", "a", "answered HTML, not metrics"),
        (b"\n <html><p>login 5", "text/html", "a", "answered HTML, not metrics"),
        (b'{"status": "ok"}', "application/json", "a", "answered JSON, not metrics"),
        (b"", "text/plain", "a", "answered text/plain, not metrics"),
        (
            TEXT,
            "text/plain",
            'http_requests_total{code="404"}',
            'the metric http_requests_total{code="404"} is not there; there are '
            'http_requests_total{code="200",path="/a"}, http_requests_total{code="200",path="/b"}, '
            'http_requests_total{code="500",path="/a \\"x\\", y"}',
        ),
        (b"".join(b"m%d 1\n" % n for n in range(9)), "text/plain", "zz", "there are m0, m1, m2, m3, m4, …"),
        (b"go_goroutines many\n", "text/plain", "go_goroutines", "has a line of metrics that cannot be read"),
    ],
)
def test_a_page_without_the_metric_says_so(body: bytes, media_type: str, metric: str, sentence: str) -> None:
    with pytest.raises(Unreadable) as unreadable:
        parse_page(page(body, media_type), {"x": parse_metric(metric)}, needs_all=True)
    assert sentence in str(unreadable.value)


@pytest.mark.parametrize(
    ("name", "dimension", "over"),
    [
        ("go_goroutines", NUMBER, Over.LEVEL),
        ("process_open_fds", NUMBER, Over.LEVEL),
        ("process_resident_memory_bytes", SIZE, Over.LEVEL),
        ("process_cpu_seconds_total", TIME, Over.TOTAL),
        ("http_requests_total", COUNT, Over.TOTAL),
        ("sent_bytes_total", SIZE, Over.TOTAL),
        ("rpc_duration_seconds_sum", TIME, Over.TOTAL),
        ("rpc_duration_seconds_count", COUNT, Over.TOTAL),
        ("rpc_duration_seconds_bucket", COUNT, Over.TOTAL),
        ("cache_hit_ratio", SHARE, Over.LEVEL),
    ],
)
def test_what_a_metric_is_follows_from_its_name(name: str, dimension: object, over: Over) -> None:
    known = Metric(name).known
    assert (known.dimension, known.over, known.is_scalar) == (dimension, over, False)


@pytest.mark.parametrize(
    "text", ["", "a b", "a{", "a{b}", 'a{b="c}', "a{b='c'}", 'a{b="c" d="e"}', "1a", 'a{b="c"} x', "a-b"]
)
def test_what_names_no_metric_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names no metric"):
        parse_metric(text)


@pytest.mark.parametrize("text", ["a", 'a{b="c",d="e"}', 'a{b="\\"\\\\\\n"}', "ns:a_b"])
def test_a_metric_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_metric(text)) == text
