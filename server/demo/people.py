"""The people of the demonstration clinic. All of them are invented."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from core.security.principal import Role

PASSWORD = "bedside-demo"  # noqa: S105  (told to everybody on the sign-in page)
DAKAR, PARIS = "Africa/Dakar", "Europe/Paris"

# Latitude and longitude of the towns, and the insurers whose patients are taken there.
PLACES = {
    "Dakar, Senegal": (14.6937, -17.4441),
    "Thiès, Senegal": (14.7910, -16.9359),
    "Saint-Louis, Senegal": (16.0326, -16.4818),
    "Paris, France": (48.8566, 2.3522),
    "Lyon, France": (45.7640, 4.8357),
    "Strasbourg, France": (48.5734, 7.7521),
}
INSURERS = {"Senegal": ("IPM Dakar", "Mutuelle Teranga"), "France": ("Assurance Maladie",)}


@dataclass(frozen=True, slots=True)
class Work:
    """A practitioner's profile and week: ``week`` maps weekdays (Monday 0) to opening hours, "08:00-12:30"."""

    title: str
    specialties: tuple[str, ...]
    languages: tuple[str, ...]
    licence: str
    fee_minor: int
    currency: str
    location: str
    about: str
    week: dict[int, tuple[str, ...]]
    slot_minutes: int = 20
    buffer_minutes: int = 5


@dataclass(frozen=True, slots=True)
class Member:
    id: UUID
    email: str
    name: str
    roles: tuple[Role, ...]
    time_zone: str = DAKAR
    language: str = "en"
    phone: str | None = None
    born: date | None = None
    work: Work | None = field(default=None)


def person_id(number: int) -> UUID:
    """Fixed ids (in the form of UUIDv7), so that filling twice makes nobody twice."""
    return UUID(int=0x019A0000_0000_7000_8000_0000_0000_0000 + number)


def _every(days: range, *hours: str) -> dict[int, tuple[str, ...]]:
    return dict.fromkeys(days, hours)


WORKDAYS, EVERY_DAY = range(5), range(7)

DOCTOR = Member(
    person_id(1),
    "doctor@demo.bedside",
    "Awa Diop",
    ("practitioner",),
    work=Work(
        "Dr",
        ("general-practice",),
        ("fr", "en", "wo"),
        "SN-10482",
        15000,
        "XOF",
        "Dakar, Senegal",
        "Family doctor for fifteen years. I take the time to explain, and follow up by message after the visit.",
        _every(EVERY_DAY, "08:00-12:30", "14:00-20:00"),
    ),
)
PRACTITIONERS = (
    DOCTOR,
    Member(
        person_id(2),
        "claire.martin@demo.bedside",
        "Claire Martin",
        ("practitioner",),
        PARIS,
        "fr",
        work=Work(
            "Dr",
            ("dermatology",),
            ("fr", "en"),
            "FR-75-20931",
            4500,
            "EUR",
            "Paris, France",
            "Skin, hair and nails. Photographs sent before the visit help us to use the time well.",
            _every(WORKDAYS, "09:00-12:00", "13:30-17:30"),
            slot_minutes=15,
        ),
    ),
    Member(
        person_id(3),
        "ousmane.ndiaye@demo.bedside",
        "Ousmane Ndiaye",
        ("practitioner",),
        work=Work(
            "Dr",
            ("cardiology", "internal-medicine"),
            ("fr", "wo"),
            "SN-08817",
            25000,
            "XOF",
            "Dakar, Senegal",
            "Blood pressure, rhythm and prevention. Please have your last readings at hand.",
            _every(range(6), "09:00-13:00", "15:00-18:00"),
            slot_minutes=30,
        ),
    ),
    Member(
        person_id(4),
        "fatou.sow@demo.bedside",
        "Fatou Sow",
        ("practitioner",),
        work=Work(
            "Dr",
            ("paediatrics",),
            ("fr", "en", "wo"),
            "SN-11209",
            18000,
            "XOF",
            "Thiès, Senegal",
            "Children from birth to eighteen, and the questions of their parents.",
            _every(range(6), "08:30-12:30", "14:30-17:30"),
        ),
    ),
    Member(
        person_id(5),
        "julien.moreau@demo.bedside",
        "Julien Moreau",
        ("practitioner",),
        PARIS,
        "fr",
        work=Work(
            "Dr",
            ("psychiatry",),
            ("fr", "en", "de"),
            "FR-69-11874",
            6000,
            "EUR",
            "Lyon, France",
            "Anxiety, sleep and difficult times. First visits are longer, so that there is room to talk.",
            _every(WORKDAYS, "10:00-13:00", "14:00-19:00"),
            slot_minutes=45,
        ),
    ),
    Member(
        person_id(6),
        "mariama.ba@demo.bedside",
        "Mariama Ba",
        ("practitioner",),
        work=Work(
            "",
            ("midwifery", "gynaecology"),
            ("fr", "wo", "ff"),
            "SN-M-4471",
            12000,
            "XOF",
            "Saint-Louis, Senegal",
            "Midwife. Pregnancy, birth and the first weeks after it.",
            _every(range(6), "08:00-13:00"),
            slot_minutes=30,
        ),
    ),
    Member(
        person_id(7),
        "lena.hoffmann@demo.bedside",
        "Lena Hoffmann",
        ("practitioner",),
        PARIS,
        "en",
        work=Work(
            "",
            ("nutrition",),
            ("de", "en", "fr"),
            "FR-67-30055",
            3500,
            "EUR",
            "Strasbourg, France",
            "Dietitian. Diabetes, weight and eating well on a small budget.",
            _every(WORKDAYS, "08:00-12:00"),
            slot_minutes=30,
        ),
    ),
)

PATIENT = Member(
    person_id(101), "patient@demo.bedside", "Moussa Fall", ("patient",), phone="+221770001122", born=date(1986, 4, 12)
)
PATIENTS = (
    PATIENT,
    Member(
        person_id(102),
        "aminata.sarr@demo.bedside",
        "Aminata Sarr",
        ("patient",),
        language="fr",
        phone="+221770001133",
        born=date(1992, 9, 3),
    ),
    Member(
        person_id(103),
        "paul.girard@demo.bedside",
        "Paul Girard",
        ("patient",),
        PARIS,
        "fr",
        phone="+33600011144",
        born=date(1958, 1, 27),
    ),
    Member(person_id(104), "ines.lopez@demo.bedside", "Inés López", ("patient",), PARIS, born=date(1979, 6, 30)),
    Member(
        person_id(105),
        "khady.gueye@demo.bedside",
        "Khady Guèye",
        ("patient",),
        language="fr",
        phone="+221770001155",
        born=date(2001, 11, 18),
    ),
    Member(person_id(106), "ibrahima.ly@demo.bedside", "Ibrahima Ly", ("patient",), born=date(1969, 3, 8)),
)
DESK = Member(person_id(201), "desk@demo.bedside", "Rokhaya Cissé", ("desk",))
ADMIN = Member(person_id(202), "admin@demo.bedside", "Daniel Keller", ("admin", "auditor"))
STAFF = (DESK, ADMIN)
EVERYBODY = (*PRACTITIONERS, *PATIENTS, *STAFF)
# Those whom the sign-in page offers.
SIGN_INS = (PATIENT, DOCTOR, DESK, ADMIN)
