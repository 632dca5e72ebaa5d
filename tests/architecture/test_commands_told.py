"""What the papers tell people to type exists: commands, options, settings and metrics."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from headwater.cli.main import app
from headwater.settings import OTHERS, PREFIX, Settings
from tests.architecture.source import ROOT, tracked_files

TOLD = [ROOT / "README.md", ROOT / "deploy" / "README.md"]
PAPERS = TOLD + [path for path in tracked_files() if path.parent == ROOT / "docs"]
PAPERS = [path for path in PAPERS if path.suffix == ".md"]
KNOWN = {PREFIX + name.upper() for name in Settings.model_fields} | OTHERS
MEASURED = re.compile(r"^\| `(headwater_\w+)` \|", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`|^ {4}(.+)$", re.MULTILINE)
# After the start, an assignment, "$(" or a path to it; up to where a shell or a comment goes on.
TYPED = re.compile(r"(?:^|[\w'”\"…/}]=\S* |\$\(|[;&] |exec )(?:\.venv/bin/)?headwater ([^;&#)`]+)")


def typed(paper: Path) -> Iterator[list[str]]:
    """Yield the words behind each `headwater` that is code; alternatives one by one."""
    for inline, indented in CODE.findall(paper.read_text()):
        for words in TYPED.findall(inline or indented):
            first, *rest = words.replace("\\|", "|").split()
            for place, word in enumerate(rest):
                if "|" in word:
                    yield from ([first, *rest[:place], one] for one in word.split("|"))
                    break
            else:
                yield [first, *rest]


def complaint(words: list[str]) -> str:
    """Say what of *words* `headwater` does not know; "" if it knows all of it."""
    command: Any = typer.main.get_command(app)  # of a click that typer brings itself
    for word in words:
        options = {name for one in command.params for name in one.opts}
        if word.startswith("--") and word not in options | {"--help"}:
            return f"{word} of headwater {' '.join(words)}"
        if (commands := getattr(command, "commands", None)) and not word.startswith("-"):
            if word not in commands:
                return f"headwater {' '.join(words)}"
            command = commands[word]
    return ""


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_what_is_to_be_typed_is_known(paper: Path) -> None:
    assert not [wrong for words in typed(paper) if (wrong := complaint(words))]


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.name)
def test_settings_and_metrics_that_are_named_exist(paper: Path) -> None:
    text = paper.read_text()
    assert not set(re.findall(r"HEADWATER_[A-Z_]*[A-Z]", text)) - KNOWN
    measured = set(MEASURED.findall((ROOT / "docs" / "metrics.md").read_text()))
    assert not set(re.findall(r"\bheadwater_[a-z_]+[a-z]", text)) - measured


def test_the_papers_tell_something() -> None:
    """A pattern that finds nothing would find nothing wrong."""
    told = {" ".join(words[:2]) for words in typed(ROOT / "docs" / "grow.md")}
    assert told >= {"move database", "move blobs", "serve --role", "check", "upload --direct"}
    assert complaint(["move", "everything"])
    assert complaint(["serve", "--rolle", "api"])
