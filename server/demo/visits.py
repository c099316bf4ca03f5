"""The history of the demonstration clinic: visits that took place, one nobody came to, and those to come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time

from server.demo.people import DOCTOR, PATIENT, PATIENTS, PRACTITIONERS, Member

_, AMINATA, PAUL, INES, KHADY, IBRAHIMA = PATIENTS
_, CLAIRE, OUSMANE, FATOU, JULIEN, MARIAMA, LENA = PRACTITIONERS


@dataclass(frozen=True, slots=True)
class Medicine:
    code: str  # ATC
    display: str
    text: str
    dose: float
    unit: str
    frequency: int
    refills: int = 0


@dataclass(frozen=True, slots=True)
class PastVisit:
    """``days_ago`` and ``at`` (UTC) of the start; the rest is what happened in ``minutes`` of call."""

    days_ago: int
    at: time
    patient: Member
    practitioner: Member
    reason: str
    summary: str
    outcome: str
    minutes: int = 13
    waited_minutes: int = 4
    chat: tuple[tuple[str, str], ...] = ()  # ("patient" or "practitioner", text)
    notes: str | None = None
    medicine: Medicine | None = None
    paid: bool = True


@dataclass(frozen=True, slots=True)
class Background:
    """What a practitioner knows of a patient; written into the record after their first visit."""

    patient: Member
    practitioner: Member
    history: str
    allergies: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    medications: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MissedVisit:
    days_ago: int
    at: time
    patient: Member
    practitioner: Member
    reason: str


@dataclass(frozen=True, slots=True)
class ComingVisit:
    """Booked in the first free slot of the practitioner, ``in_days`` from now or later."""

    in_days: int
    patient: Member
    practitioner: Member
    reason: str


PAST = (
    PastVisit(
        41,
        time(9, 0),
        PATIENT,
        OUSMANE,
        "High readings at the pharmacy",
        "Blood pressure 148/92 at home over two weeks. Less salt, walking, and a tablet a day. Readings twice a week.",
        "Started treatment; check in six weeks",
        minutes=24,
        chat=(
            ("patient", "My readings: 146/90, 151/94, 147/91"),
            ("practitioner", "Thank you, that is clear. Please keep writing them down."),
        ),
        notes="Essential hypertension, grade 1. No organ damage known. ECG next time in person.",
        medicine=Medicine("C08CA01", "Amlodipine 5 mg tablet", "One tablet every morning", 1, "tablet", 1, refills=5),
    ),
    PastVisit(
        26,
        time(10, 30),
        AMINATA,
        MARIAMA,
        "Twentieth week, a few questions",
        "All well. Iron until birth, ultrasound booked. Talked about signs that need a call at once.",
        "Next visit in four weeks",
        chat=(("practitioner", "Here is the number to call at night: the maternity of Saint-Louis."),),
        medicine=Medicine("B03AA07", "Ferrous sulfate 200 mg tablet", "One tablet a day with water", 1, "tablet", 1, 3),
    ),
    PastVisit(
        19,
        time(13, 0),
        PAUL,
        CLAIRE,
        "A mole that changed",
        "Looks regular in the photographs, but it has grown. Dermoscopy in person within two weeks.",
        "Referred for dermoscopy",
        chat=(("patient", "Does it hurt to have it looked at?"), ("practitioner", "No, it is only a lens and light.")),
    ),
    PastVisit(
        16,
        time(9, 40),
        KHADY,
        DOCTOR,
        "Fever since yesterday",
        "Fever 38.6 with sore throat, no warning signs, rapid malaria test negative. Rest, fluids, paracetamol.",
        "Come back if fever lasts over three days",
        medicine=Medicine("N02BE01", "Paracetamol 500 mg", "Two tablets up to three times a day", 2, "tablet", 3),
    ),
    PastVisit(
        12,
        time(15, 0),
        INES,
        JULIEN,
        "Sleeping badly for months",
        "Trouble falling asleep after a change of work. Sleep diary and fixed times; no medicine for now.",
        "Second visit in two weeks",
        minutes=38,
        waited_minutes=2,
        paid=False,
    ),
    PastVisit(
        9,
        time(8, 20),
        IBRAHIMA,
        DOCTOR,
        "Back pain after lifting",
        "Strain without warning signs. Stay active, warmth, exercises shown. Work note for three days.",
        "Better within two weeks, else examination in person",
        chat=(
            ("practitioner", "The three exercises: cat and camel, bridge, knee to chest. Ten times each, twice a day."),
        ),
    ),
    PastVisit(
        6,
        time(16, 0),
        PATIENT,
        DOCTOR,
        "Dizzy in the morning since the new tablet",
        "Blood pressure now 128/80. Dizziness fits a quick rise from bed. Take the tablet in the evening.",
        "Look again in two weeks",
        chat=(
            ("patient", "Should I stop the tablet?"),
            ("practitioner", "No. Take it in the evening, and get up slowly."),
        ),
        notes="Orthostatic symptoms, mild. Amlodipine to the evening. Consider 2.5 mg if it goes on.",
    ),
    PastVisit(
        4,
        time(10, 0),
        AMINATA,
        LENA,
        "Eating well in pregnancy",
        "Went through a week of meals. More pulses and greens, tea between meals because of the iron.",
        "Meal plan sent",
        paid=False,
    ),
    PastVisit(
        2,
        time(11, 0),
        KHADY,
        DOCTOR,
        "Follow-up, cough remains",
        "No fever, dry cough at night. Honey and warm drinks; lungs to be listened to if it lasts another week.",
        "No treatment needed",
        minutes=9,
    ),
    PastVisit(
        1,
        time(9, 0),
        PAUL,
        OUSMANE,
        "Swollen ankles in the evening",
        "Fits the long flight last week. Stockings, legs up; blood test to be safe.",
        "Blood test ordered",
        minutes=21,
    ),
)
BACKGROUNDS = (
    Background(
        PATIENT,
        DOCTOR,
        "Teacher, married, two children. Father had a stroke at 64. Never smoked.",
        ("Penicillin: rash as a child",),
        ("Essential hypertension",),
        ("Amlodipine 5 mg, evening",),
    ),
    Background(KHADY, DOCTOR, "Student in Dakar. No operations.", ("Groundnuts",)),
    Background(
        PAUL,
        OUSMANE,
        "Retired engineer. Stent in 2019.",
        (),
        ("Coronary heart disease", "Type 2 diabetes"),
        ("Aspirin 100 mg", "Metformin 850 mg, twice a day"),
    ),
)
MISSED = (
    MissedVisit(8, time(14, 20), INES, DOCTOR, "Travel vaccination advice"),
    MissedVisit(3, time(9, 0), IBRAHIMA, OUSMANE, "Yearly check"),
)
COMING = (
    ComingVisit(0, KHADY, DOCTOR, "Cough still there"),
    ComingVisit(0, IBRAHIMA, DOCTOR, "Back pain, second look"),
    ComingVisit(0, AMINATA, DOCTOR, "Result of the blood test"),
    ComingVisit(1, PAUL, DOCTOR, "Medicine list before a journey"),
    ComingVisit(2, PATIENT, CLAIRE, "A rash on both arms"),
    ComingVisit(5, PATIENT, OUSMANE, "Blood pressure, six weeks later"),
    ComingVisit(3, AMINATA, MARIAMA, "Twenty-fourth week"),
    ComingVisit(2, INES, JULIEN, "Second visit about sleep"),
    ComingVisit(4, KHADY, LENA, "Eating regularly as a student"),
)
OPEN_VISIT_REASON = "Blood pressure: dizzy again this week"
# Called off by the patient right after booking, so that this state can be seen too.
CALLED_OFF = ComingVisit(6, PATIENT, FATOU, "Vaccination plan for my daughter")
