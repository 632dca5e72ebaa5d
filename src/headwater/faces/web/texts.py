"""Every sentence of the pages, from one catalogue that the server and the scripts share."""

import json
from pathlib import Path
from typing import Any

CATALOGUES = Path(__file__).parent / "texts"


class Texts:
    """One language; called with a dotted key and the values its sentence names."""

    def __init__(self, language: str = "en") -> None:
        self.language = language
        self._sentences = _flatten(json.loads((CATALOGUES / f"{language}.json").read_text()))

    def __call__(self, key: str, **values: object) -> str:
        """Return the sentence *key*; one with two forms is chosen by the value *n*.

        Raises:
            KeyError: the catalogue has no such sentence, or the sentence names a value not given.
        """
        sentence = self._sentences[key]
        if isinstance(sentence, dict):
            sentence = sentence["one" if values["n"] == 1 else "other"]
        return sentence.format(**values) if values else sentence


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, str | dict[str, str]]:
    flat: dict[str, str | dict[str, str]] = {}
    for name, branch in tree.items():
        if isinstance(branch, dict) and branch.keys() != {"one", "other"}:
            flat |= _flatten(branch, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = branch
    return flat
