"""The papers keep step with the code: maps, invariants, decisions, links."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, ROOT, tracked_files

DECISIONS = sorted((ROOT / "decisions").glob("[0-9]*.md"))
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives", "Check"]
STATUS = re.compile(r"^Status: (proposed|accepted|superseded by \[\d{4}\]\(.+\))$", re.MULTILINE)
PAPERS = [path for path in tracked_files() if path.suffix == ".md"]


def folders() -> set[str]:
    return {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}


@pytest.mark.parametrize("paper", ["README.md", "ARCHITECTURE.md"])
def test_the_map_is_the_tree(paper: str) -> None:
    """Each line of the map starts with a folder; no folder is missing and none is made up."""
    text = (ROOT / paper).read_text()
    mapped = re.findall(r"^[├└]── ([a-z]+)/", text, re.MULTILINE)
    assert sorted(mapped) == sorted(folders())


def test_every_contract_is_an_invariant_by_name() -> None:
    """ARCHITECTURE.md lists what is deliberately absent, under the names the linter prints."""
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    names = [section["name"] for section in contracts.values() if "type" in section]
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert names
    assert not [name for name in names if f"**{name}**" not in text]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_keeps_the_template(decision: Path) -> None:
    text = decision.read_text()
    number = decision.stem.split("-")[0]
    assert text.startswith(f"# {number}: ")
    assert re.search(
        r"^Status: (proposed|accepted|superseded by \[\d{4}\]\(.+\))$", text, re.MULTILINE
    )
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS


def test_decisions_are_numbered_without_holes() -> None:
    numbers = [int(path.stem.split("-")[0]) for path in DECISIONS]
    assert numbers == list(range(len(DECISIONS)))


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_papers_resolve(paper: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", paper.read_text())
    assert not [target for target in targets if not (paper.parent / target).exists()]


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_into_papers_meet_a_heading(paper: Path) -> None:
    """As the forges make names of headings: small letters and hyphens, nothing else."""
    links = re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)\)", paper.read_text())
    for target, name in links:
        text = (paper.parent / target if target else paper).read_text()
        titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        named = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
        assert name in named, (target, name)
