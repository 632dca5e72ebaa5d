"""What both manifests say of the sound tracks: names that differ, languages, the default."""

from dataclasses import dataclass

from headwater.delivery.manifests import languages
from headwater.model.plan import AudioPlan, Plan, Rendition


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One sound track for a menu. *surround* is its rendition with more than two channels.

    *auto* says that a player may choose it by language: it is the default, or the first of its
    language where the default has another one.
    """

    name: str
    language: str | None
    default: bool
    auto: bool
    stereo: Rendition
    surround: Rendition | None


def sounds_of(plan: Plan) -> list[Sound]:
    """Return the sound tracks of *plan*, each with a name of its own."""
    names: set[str] = set()
    taken = {languages.tag(audio.language) for audio in plan.audio if audio.default}
    sounds: list[Sound] = []
    for number, audio in enumerate(plan.audio, 1):
        language = languages.tag(audio.language)
        auto = audio.default or language not in taken
        taken.add(language)
        name = _free(_name(audio, number), names)
        names.add(name)
        stereo, *more = audio.renditions
        sounds.append(
            Sound(
                name=name,
                language=language,
                default=audio.default,
                auto=auto,
                stereo=stereo,
                surround=more[0] if more else None,
            )
        )
    return sounds


def _name(audio: AudioPlan, number: int) -> str:
    told = "".join(c for c in audio.name if c.isprintable()).replace('"', "'").strip()
    return told or languages.name(audio.language) or f"Audio {number}"


def _free(name: str, names: set[str]) -> str:
    if name not in names:
        return name
    return next(n for i in range(2, len(names) + 3) if (n := f"{name} ({i})") not in names)
