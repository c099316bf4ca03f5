"""Run over a demonstration's data folder: two new people whose visit is open now, printed as JSON.

Every test that needs a call of its own gets one, without a start of the demonstration for each.
"""

from __future__ import annotations

import asyncio
import json
import secrets

from server.demo.people import PASSWORD
from server.operation import operating
from server.provision import PROFILE


async def main() -> None:
    number = secrets.token_hex(4)
    async with operating() as (_, modules):
        doctor, patient = [
            await modules.identity.accounts.create_person(
                email=f"{role}-{number}@browser.invalid",
                password=PASSWORD,
                name=name,
                roles=(role,),
                practitioner=PROFILE if role == "practitioner" else None,
            )
            for role, name in (("practitioner", "Nora Camara"), ("patient", "Samba Kane"))
        ]
        visit = await modules.scheduling.arranging.ensure_open_visit(doctor.id, patient.id, "A cough")
    print(json.dumps({"appointment_id": str(visit.id), "doctor": doctor.email, "patient": patient.email}))


asyncio.run(main())
