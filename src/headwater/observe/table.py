"""What is measured, as people read it: Markdown for the docs, rows for a terminal."""

from collections.abc import Iterator

from prometheus_client import Counter, Gauge, Histogram

from headwater.observe import metrics
from headwater.observe.spans import SPANS

COLUMNS = ("name", "type", "labels", "meaning")
HEADER = """# Metrics and spans

Metrics are at `/metrics` of each process's internal address (`HEADWATER_INTERNAL_HOST`,
`HEADWATER_INTERNAL_PORT`), in the text format of Prometheus, beside those of the Python process.
Labels have few values: names of operations, engines and consumers, codes of errors, never ids.
Made by `headwater metrics --markdown` from `src/headwater/observe/`; a test compares the two.

"""
SPANS_HEADER = """
## Spans

What `HEADWATER_TRACES` sends, beside one span for each operation ([by its name](operations.md)) and
one for each call of an engine that writes or encodes (`blobs.put_absent`, `media.encode_video`, …).
Attributes of ours begin with `headwater.`: `video`, `generation`, `track`, `index`, `kind`, ….

"""


def rows() -> list[tuple[str, str, str, str]]:
    """Return COLUMNS of every metric that observe/metrics.py declares, in its order."""
    return list(_rows())


def _rows() -> Iterator[tuple[str, str, str, str]]:
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            [about] = metric.describe()
            name = about.name + ("_total" if about.type == "counter" else "")
            labels = ", ".join(metric._labelnames)  # noqa: SLF001 — nothing public says them
            yield name, about.type, labels, about.documentation


def as_markdown() -> str:
    """Return docs/metrics.md whole."""
    listed = [f"| `{name}` | {kind} | {labels} | {about} |" for name, kind, labels, about in rows()]
    spans = [f"| `{name}` | {about} |" for name, about in SPANS.items()]
    metrics_table = [f"| {' | '.join(COLUMNS)} |", "|---|---|---|---|", *listed, ""]
    spans_table = ["| name | meaning |", "|---|---|", *spans, ""]
    return HEADER + "\n".join(metrics_table) + SPANS_HEADER + "\n".join(spans_table)
