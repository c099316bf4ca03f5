"""The specialties on offer: code → English name. Pages translate by code."""

from __future__ import annotations

NAMES: dict[str, str] = {
    "general-practice": "General practice",
    "paediatrics": "Paediatrics",
    "dermatology": "Dermatology",
    "cardiology": "Cardiology",
    "gynaecology": "Gynaecology",
    "psychiatry": "Psychiatry",
    "psychology": "Psychology",
    "endocrinology": "Endocrinology",
    "neurology": "Neurology",
    "ophthalmology": "Ophthalmology",
    "orthopaedics": "Orthopaedics",
    "ear-nose-throat": "Ear, nose and throat",
    "pneumology": "Pneumology",
    "urology": "Urology",
    "gastroenterology": "Gastroenterology",
    "internal-medicine": "Internal medicine",
    "midwifery": "Midwifery",
    "nursing": "Nursing",
    "nutrition": "Nutrition",
}


def name_of(code: str) -> str:
    """The name, or the code made readable where it is not in the list."""
    return NAMES.get(code) or code.replace("-", " ").capitalize()
