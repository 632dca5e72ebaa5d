"""Languages as manifests name them: the shortest BCP 47 tag, and a name for the menu.

Containers say ISO 639-2 ("ger", "deu") or BCP 47 ("de-CH"); RFC 5646 §2.2.1 asks for the shortest.
"""

# ISO 639-2 code(s) → (ISO 639-1 tag, what speakers call it).
_KNOWN = {
    "ara": ("ar", "العربية"),
    "ben": ("bn", "বাংলা"),
    "bul": ("bg", "Български"),
    "cat": ("ca", "Català"),
    "ces cze": ("cs", "Čeština"),
    "dan": ("da", "Dansk"),
    "deu ger": ("de", "Deutsch"),
    "ell gre": ("el", "Ελληνικά"),
    "eng": ("en", "English"),
    "est": ("et", "Eesti"),
    "fas per": ("fa", "فارسی"),
    "fin": ("fi", "Suomi"),
    "fra fre": ("fr", "Français"),
    "heb": ("he", "עברית"),
    "hin": ("hi", "हिन्दी"),
    "hrv": ("hr", "Hrvatski"),
    "hun": ("hu", "Magyar"),
    "ind": ("id", "Bahasa Indonesia"),
    "isl ice": ("is", "Íslenska"),
    "ita": ("it", "Italiano"),
    "jpn": ("ja", "日本語"),
    "kor": ("ko", "한국어"),
    "lav": ("lv", "Latviešu"),
    "lit": ("lt", "Lietuvių"),
    "msa may": ("ms", "Bahasa Melayu"),
    "nld dut": ("nl", "Nederlands"),
    "nor": ("no", "Norsk"),
    "nob": ("nb", "Norsk bokmål"),
    "pol": ("pl", "Polski"),
    "por": ("pt", "Português"),
    "ron rum": ("ro", "Română"),
    "rus": ("ru", "Русский"),
    "slk slo": ("sk", "Slovenčina"),
    "slv": ("sl", "Slovenščina"),
    "spa": ("es", "Español"),
    "srp": ("sr", "Српски"),
    "swe": ("sv", "Svenska"),
    "tam": ("ta", "தமிழ்"),
    "tel": ("te", "తెలుగు"),
    "tha": ("th", "ไทย"),
    "tur": ("tr", "Türkçe"),
    "ukr": ("uk", "Українська"),
    "urd": ("ur", "اردو"),
    "vie": ("vi", "Tiếng Việt"),
    "zho chi": ("zh", "中文"),
}
_SHORTEST = {code: tag for codes, (tag, _) in _KNOWN.items() for code in codes.split()}
_NAMES = dict(_KNOWN.values())
_UNSAID = ("", "und", "mis", "mul", "zxx")


def tag(language: str) -> str | None:
    """Return the BCP 47 tag of what a container says, None where it says nothing."""
    primary, *rest = language.strip().split("-")
    primary = primary.lower()
    if primary in _UNSAID or not (primary.isascii() and primary.isalpha()) or len(primary) > 8:
        return None
    rest = [part for part in rest if part.isascii() and part.isalnum() and len(part) <= 8]
    return "-".join([_SHORTEST.get(primary, primary), *rest])


def name(language: str) -> str | None:
    """Return the name of a language for a menu, its tag where we know no name, None if unsaid."""
    found = tag(language)
    return found and _NAMES.get(found.split("-")[0], found)
