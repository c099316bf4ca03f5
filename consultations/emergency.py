"""Emergency numbers by country, and signs that no video visit should wait for. Pure data and look-ups.

Numbers change: an installation looks over those of the places it serves and sets others with
``visit.emergency_numbers``. Where none is known, 112 is shown: GSM and later phones route it to the local service
(3GPP TS 22.101).
"""

from __future__ import annotations

from collections.abc import Mapping

FALLBACK = "112"

# ISO 3166-1 alpha-2 → the number for medical help.
_NUMBERS: dict[str, str] = {
    "BF": "112",
    "CI": "185",
    "CM": "119",
    "GA": "1300",
    "GH": "112",
    "ML": "15",
    "NE": "15",
    "NG": "112",
    "SN": "1515",
    "DZ": "14",
    "TN": "190",
    "EG": "123",
    "KE": "999",
    "RW": "912",
    "ZA": "10177",
    "AU": "000",
    "BE": "112",
    "BR": "192",
    "CA": "911",
    "CH": "144",
    "CN": "120",
    "DE": "112",
    "ES": "112",
    "FR": "15",
    "GB": "999",
    "IE": "112",
    "IN": "112",
    "IT": "112",
    "JP": "119",
    "LU": "112",
    "MX": "911",
    "NL": "112",
    "NZ": "111",
    "PT": "112",
    "US": "911",
}

# Codes are stable; the words are for people.
_RED_FLAGS: dict[str, dict[str, str]] = {
    "chest_pain": {
        "en": "Pressure or pain in the chest, or pain spreading to arm or jaw",
        "fr": "Oppression ou douleur dans la poitrine, ou qui gagne le bras ou la mâchoire",
    },
    "breathing": {"en": "Great difficulty breathing", "fr": "Grande difficulté à respirer"},
    "stroke": {
        "en": "A drooping face, a weak arm or leg, trouble speaking, sudden loss of sight",
        "fr": "Visage qui tombe, bras ou jambe faible, parole difficile, perte soudaine de la vue",
    },
    "bleeding": {"en": "Bleeding that does not stop", "fr": "Un saignement qui ne s'arrête pas"},
    "unconscious": {
        "en": "Fainting, a seizure, somebody who can't be woken",
        "fr": "Perte de connaissance, convulsions, personne qu'on ne peut réveiller",
    },
    "allergy": {
        "en": "Swelling of face or throat after food, a sting or a medicine",
        "fr": "Gonflement du visage ou de la gorge après un aliment, une piqûre ou un médicament",
    },
    "pregnancy": {
        "en": "Pregnant, with bleeding, strong pain or no movement of the child",
        "fr": "Grossesse avec saignement, forte douleur ou enfant qui ne bouge plus",
    },
    "self_harm": {"en": "Thoughts of ending your life", "fr": "Des idées de mettre fin à votre vie"},
    "child": {
        "en": "A baby under three months with fever, or a child who is limp or hard to wake",
        "fr": "Un bébé de moins de trois mois avec de la fièvre, un enfant mou ou difficile à réveiller",
    },
}


def number_of(country: str, own: Mapping[str, str]) -> str:
    """The number for medical help in a country (ISO 3166-1 alpha-2); the installation's ``own`` come first."""
    return own.get(country) or _NUMBERS.get(country, FALLBACK)


def red_flags(language: str) -> list[tuple[str, str]]:
    """(code, words) in English or French, by the nearest of the two to a BCP 47 tag."""
    chosen = "fr" if language.partition("-")[0].lower() == "fr" else "en"
    return [(code, words[chosen]) for code, words in _RED_FLAGS.items()]
