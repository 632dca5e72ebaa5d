"""The catalogue as people read it: Markdown for the docs, JSON for tools."""

import inspect
from collections.abc import Iterable

import msgspec

from headwater.model.freshness import Consistency, OwnWrites, Primary
from headwater.operations.operation import CacheFor, Limit, Operation

COLUMNS = (
    "name",
    "does",
    "consistency",
    "cache",
    "permission",
    "limit",
    "idempotency",
    "because",
)


def as_rows(catalogue: Iterable[Operation]) -> list[dict[str, str]]:
    """Return one mapping of COLUMNS to text per operation."""
    return [
        {
            "name": row.name,
            "does": _first_sentence(row),
            "consistency": _consistency(row.consistency),
            "cache": _cache(row.cache),
            "permission": f"{row.permission.action} · {row.permission.who.value}",
            "limit": _limit(row.limit),
            "idempotency": row.idempotency.value,
            "because": row.because,
        }
        for row in catalogue
    ]


def as_json(catalogue: Iterable[Operation]) -> str:
    return msgspec.json.format(msgspec.json.encode(as_rows(catalogue))).decode()


def as_markdown(catalogue: Iterable[Operation]) -> str:
    """Return docs/operations.md whole."""
    lines = [
        "# Operations",
        "",
        "Everything Headwater can be asked. Made by `headwater operations --markdown` from",
        "`src/headwater/operations/catalogue/`; a test compares the two.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
    ]
    for row in as_rows(catalogue):
        cells = (row[column].replace("|", "\\|") for column in COLUMNS)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _first_sentence(row: Operation) -> str:
    return " ".join((inspect.getdoc(row.does) or "").partition("\n\n")[0].split())


def _consistency(rule: Consistency) -> str:
    if isinstance(rule, Primary):
        return "primary"
    if isinstance(rule, OwnWrites):
        return "own writes"
    return f"stale ≤ {rule.within_s:g} s, beyond: {rule.beyond}"


def _cache(rule: CacheFor | None) -> str:
    if rule is None:
        return "never"
    stale = f" + {rule.stale_s:g} s stale" if rule.stale_s else ""
    return f"{rule.fresh_s:g} s{stale}, {'shared' if rule.shared else 'per actor'}"


def _limit(limit: Limit | None) -> str:
    return f"{limit.times} in {limit.per_s} s by {limit.by}" if limit else "unlimited"
