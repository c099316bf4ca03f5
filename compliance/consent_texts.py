"""What people consent to, word by word. A changed text is a new version: earlier ones stay, since people saw them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["telehealth", "recording", "research"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LANGUAGES = ("en", "fr")


@dataclass(frozen=True, slots=True)
class Text:
    kind: Kind
    version: int
    language: str
    title: str
    body: str

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(f"{self.title}\n{self.body}".encode()).digest()


_TEXTS = (
    Text(
        "telehealth",
        1,
        "en",
        "Care by video",
        "I agree to be seen by video. I know that an examination by video has limits, that I can ask for a visit in "
        "person, and that in an emergency I call the emergency number.",
    ),
    Text(
        "telehealth",
        1,
        "fr",
        "Soins par vidéo",
        "J'accepte d'être reçu en vidéo. Je sais qu'un examen par vidéo a des limites, que je peux demander une visite "
        "en personne, et qu'en cas d'urgence j'appelle le numéro d'urgence.",
    ),
    Text(
        "recording",
        1,
        "en",
        "Recording of visits",
        "I agree that a visit may be recorded when I am asked for it and say yes again in that visit. The recording "
        "becomes part of my record.",
    ),
    Text(
        "recording",
        1,
        "fr",
        "Enregistrement des visites",
        "J'accepte qu'une visite puisse être enregistrée si on me le demande et si je redis oui pendant cette visite. "
        "L'enregistrement fait partie de mon dossier.",
    ),
    Text(
        "research",
        1,
        "en",
        "Research",
        "I agree that facts about my visits (kind, specialty, times moved by a number of days that stays secret) may "
        "be used for research without my name and without anything I wrote or said.",
    ),
    Text(
        "research",
        1,
        "fr",
        "Recherche",
        "J'accepte que des faits sur mes visites (type, spécialité, dates décalées d'un nombre de jours tenu secret) "
        "servent à la recherche, sans mon nom et sans rien de ce que j'ai écrit ou dit.",
    ),
)
_BY_PLACE = {(each.kind, each.version, each.language): each for each in _TEXTS}


def known_language(tag: str) -> str:
    primary = tag.partition("-")[0].lower()
    return primary if primary in LANGUAGES else LANGUAGES[0]


def newest(kind: Kind) -> int:
    """The version in force."""
    return max(each.version for each in _TEXTS if each.kind == kind)


def text_of(kind: Kind, version: int, language: str) -> Text | None:
    return _BY_PLACE.get((kind, version, language))


def in_force(language: str) -> list[Text]:
    """One of each kind, in the language nearest to a BCP 47 tag."""
    chosen = known_language(language)
    return [_BY_PLACE[(kind, newest(kind), chosen)] for kind in KINDS]
