"""The error tree: the drawing at the top of its module is the truth."""

import re

from headwater.model import errors

LINE = re.compile(r"^(?P<branches>[│ ]*)[├└]── (?P<name>\w+)", re.MULTILINE)


def drawn() -> dict[str, str]:
    """Return each drawn class with its parent."""
    parents = ["HeadwaterError"]
    tree = {}
    for line in LINE.finditer(errors.__doc__ or ""):
        depth = len(line["branches"]) // 4 + 1
        parents[depth:] = [line["name"]]
        tree[line["name"]] = parents[depth - 1]
    return tree


def descendants(parent: type[errors.HeadwaterError]) -> dict[str, str]:
    """Return each class that leaves the engines; an adapter may tell more apart for itself."""
    found = {}
    for child in parent.__subclasses__():
        if child.__module__.startswith("headwater") and ".engines." not in child.__module__:
            found[child.__name__] = parent.__name__
            found |= descendants(child)
    return found


def test_the_drawing_is_the_tree() -> None:
    assert drawn() == descendants(errors.HeadwaterError)


def test_every_error_has_its_own_code() -> None:
    """Machines tell errors apart by code, so no two may share one."""
    names = [*drawn(), "HeadwaterError"]
    codes = {getattr(errors, name).code for name in names}
    assert len(codes) == len(names)
