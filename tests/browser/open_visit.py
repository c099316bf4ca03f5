"""Run over a demonstration's data folder: two new people whose visit is open now, and an acquaintance; as JSON.

Every test that needs a call of its own gets one, without a start of the demonstration for each.
"""

from __future__ import annotations

import asyncio
import json
import secrets

from core.security.principal import Role
from server.demo.people import PASSWORD
from server.operation import operating
from server.provision import PROFILE

PEOPLE: tuple[tuple[str, Role, str], ...] = (
    ("practitioner", "practitioner", "Nora Camara"),
    ("patient", "patient", "Samba Kane"),
    ("acquaintance", "patient", "Hodan Warsame"),
)


async def main() -> None:
    number = secrets.token_hex(4)
    async with operating() as (_, modules):
        doctor, patient, acquaintance = [
            await modules.identity.accounts.create_person(
                email=f"{part}-{number}@browser.invalid",
                password=PASSWORD,
                name=name,
                roles=(role,),
                practitioner=PROFILE if role == "practitioner" else None,
            )
            for part, role, name in PEOPLE
        ]
        visit = await modules.scheduling.arranging.ensure_open_visit(doctor.id, patient.id, "A cough")
    found = {"appointment_id": str(visit.id), "doctor": doctor.email, "patient": patient.email}
    print(json.dumps({**found, "acquaintance": acquaintance.email, "acquaintance_id": str(acquaintance.id)}))


asyncio.run(main())
