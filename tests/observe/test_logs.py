"""Lines for machines: what stands in one, and that each is one write."""

import io
import sys
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
import structlog

from headwater.observe import logs


class Writes(io.RawIOBase):
    """A standard error that keeps what each write gave it."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        self.seen.append(bytes(data))
        return len(data)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    raw = Writes()
    standard_error = io.TextIOWrapper(io.BufferedWriter(cast("Any", raw)))
    monkeypatch.setattr(sys, "stderr", standard_error)
    logs.configure("info")
    yield raw.seen
    structlog.reset_defaults()


def test_a_line_is_one_write_of_one_object(written: list[bytes]) -> None:
    """Several processes write to one file, and their lines never mix."""
    log = structlog.get_logger("headwater.tests")
    log.info("request", path="/a\nb", status=200)
    log.debug("not this one")
    log.warning("slow", what=ValueError("why"))

    first, second = (msgspec.json.decode(line) for line in written)
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in written)
    assert (first["event"], first["level"], first["status"]) == ("request", "info", 200)
    assert first["timestamp"].endswith("Z")
    assert second["what"] == "why"


def test_an_exception_is_part_of_its_line(written: list[bytes]) -> None:
    log = structlog.get_logger("headwater.tests")
    try:
        int("why")
    except ValueError:
        log.exception("failed")

    assert len(written) == 1
    assert "ValueError: invalid literal" in msgspec.json.decode(written[0])["exception"]
