"""python -m benchmarks [NAME…] [--clips DIR] [--kept DIR] [--write]: measure, and print tables.

Every ratio is against a baseline of the same run. Nothing here is a test: machines differ.
"""

import argparse
import importlib
import tempfile
from pathlib import Path

from benchmarks.clips import Clips
from benchmarks.report import circumstances, replaced, table

NAMES = (
    *(
        "playable",
        "ladder",
        "rates",
        "origin",
        "upload",
        "bucket",
        "pages",
        "memory",
        "commits",
        "cache",
    ),
    *("simulate", "scale", "moving"),
)
RESULTS = Path(__file__).with_name("results.md")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--clips", type=Path, help="folder with real footage to cut inputs from")
    parser.add_argument(
        "--kept",
        type=Path,
        default=Path(tempfile.gettempdir()) / "headwater-bench",
        help="where inputs are kept between runs (default: %(default)s)",
    )
    parser.add_argument(
        "--write", action="store_true", help="also replace these benches in benchmarks/results.md"
    )
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(NAMES):
        parser.error(f"no bench is called {', '.join(sorted(unknown))}; there are {NAMES}")
    clips = Clips(folder=chosen.kept, footage=chosen.clips)
    for name in chosen.names or NAMES:
        where = circumstances()
        subject = importlib.import_module(f"benchmarks.{name}")
        with tempfile.TemporaryDirectory(prefix="headwater-bench-") as folder:
            rows = subject.measure(clips, Path(folder))
        section = table(name, f"{subject.ABOUT}\n\n{where}", rows)
        print(section, flush=True)
        if chosen.write:
            before = RESULTS.read_text(encoding="utf-8")
            RESULTS.write_text(replaced(before, name, section), encoding="utf-8")


if __name__ == "__main__":
    main()
