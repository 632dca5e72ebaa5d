"""Words, addresses and files of the pages, without a browser."""

import json
import re
from pathlib import Path

import pytest

from headwater.faces.web import assets, words
from headwater.faces.web.site import FAILURES, local_path
from headwater.faces.web.texts import CATALOGUES, Texts
from headwater.model import errors
from tests.web.making import ESTIMATES

WEB = CATALOGUES.parent
TEXTS = Texts()
CHOSEN_BY_VALUE = {  # by the name of a visibility, or of what became of a title
    *("visibility.public", "visibility.unlisted", "visibility.private"),
    *("upload.saved", "upload.not_saved"),
}
KEYS = re.compile(r"""text\(\s*"([\w.]+)"|texts\(\s*"([\w.]+)\"""")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (5, "just now"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (7200, "2 hours ago"),
        (86_400 * 3, "3 days ago"),
        (86_400 * 8, "1 week ago"),
        (86_400 * 45, "1 month ago"),
        (86_400 * 800, "2 years ago"),
    ],
)
def test_ages_are_said_as_people_do(seconds: float, said: str) -> None:
    assert words.age(TEXTS, 1000.0, 1000.0 + seconds) == said


@pytest.mark.parametrize(("seconds", "said"), ESTIMATES)
def test_estimates_are_rough(seconds: float | None, said: str) -> None:
    assert words.left(TEXTS, seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0:00"), (7.9, "0:07"), (245, "4:05"), (3729, "1:02:09")]
)
def test_lengths(seconds: float, said: str) -> None:
    assert words.clock(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 B"), (999, "999 B"), (2_797_504, "2.8 MB"), (12e9, "12 GB")]
)
def test_sizes(count: float, said: str) -> None:
    assert words.size(count) == said


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/studio?after=1", "/studio?after=1"),
        ("//example.org/x", "/x"),
        ("https://example.org", "/"),
        ("/\\example.org", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_the_way_back_stays_here(address: str, path: str) -> None:
    assert local_path(address) == path


def test_every_branch_of_the_error_tree_is_a_page() -> None:
    """A new branch needs a page; a new leaf does not."""
    assert set(FAILURES) == set(errors.HeadwaterError.__subclasses__())


def test_every_sentence_asked_for_exists_and_every_sentence_is_asked_for() -> None:
    """One catalogue: nothing missing, nothing left over."""
    known = set(Texts()._sentences)
    sources = [*WEB.rglob("*.py"), *WEB.glob("templates/*.html")]
    asked = {a or b for path in sources for a, b in KEYS.findall(path.read_text())}
    whole = {key for key in asked if not key.endswith((".", "_"))}
    assert whole <= known

    scripts = "\n".join(p.read_text() for p in (WEB / "client").glob("[!n]*/*.ts"))
    pages = "\n".join(path.read_text() for path in sources)
    unused = [key for key in known if not _is_used(key, scripts, pages)]
    assert unused == []


def _is_used(key: str, scripts: str, pages: str) -> bool:
    section, _, name = key.partition(".")
    prefix = name.rpartition("_")[0]
    return (
        f'"{key}"' in pages
        or re.search(rf"\b(texts|visibilities|visibility)\.{name}\b", scripts) is not None
        or key in CHOSEN_BY_VALUE
        or f'"{section}.{prefix}_" ~' in pages  # chosen by a value
        or f'"{section}." ~' in pages
        or f"{section}.{{" in pages
        or f"{prefix}_${{" in scripts
    )


def test_a_language_has_the_same_values_in_both_forms() -> None:
    for path in CATALOGUES.glob("*.json"):
        for forms in _plurals(json.loads(path.read_text())):
            assert set(re.findall(r"{\w+}", forms["one"])) == set(
                re.findall(r"{\w+}", forms["other"])
            )


def _plurals(tree: dict[str, object]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for branch in tree.values():
        if isinstance(branch, dict):
            found += [branch] if branch.keys() == {"one", "other"} else _plurals(branch)
    return found


@pytest.fixture
def script() -> str:
    return assets.Assets().watch.removeprefix("/static/")


@pytest.mark.parametrize(
    ("accepts", "encoding"), [("gzip, br", "br"), ("gzip", "gzip"), ("br;q=0", None), ("", None)]
)
def test_scripts_travel_compressed(script: str, accepts: str, encoding: str | None) -> None:
    answer = assets.answer_file(script, accepts)
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "accept-encoding"
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "name", ["../app.py", "built/../../site.py", "built/manifest.json", "no.js", "", "built"]
)
def test_nothing_else_is_a_file(name: str) -> None:
    with pytest.raises(errors.NotFound):
        assets.answer_file(name, "")


def test_pages_need_their_scripts(tmp_path: Path) -> None:
    """Without a build the server says what to run, at once."""
    with pytest.raises(errors.SettingsError, match="build_web"):
        assets.Assets(tmp_path)
