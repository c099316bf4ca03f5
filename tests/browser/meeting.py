"""A visit of two people that no other test knows, and the way into its call."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from person import Person
from server_process import Demonstration
from visitor import Visitor

from core.migrations import ROOT

SCRIPT = Path(__file__).with_name("open_visit.py")
DOCTOR_NAME, PATIENT_NAME, ACQUAINTANCE_NAME = "Nora Camara", "Samba Kane", "Hodan Warsame"


@dataclass(frozen=True, slots=True)
class Meeting:
    appointment_id: str
    doctor: str
    patient: str
    acquaintance: str  # somebody else with an account
    acquaintance_id: str

    @classmethod
    async def arrange(cls, demonstration: Demonstration) -> Meeting:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(SCRIPT)),
            cwd=ROOT,
            env=demonstration.env | {"PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, error = await process.communicate()
        assert process.returncode == 0, error.decode()
        return cls(**json.loads(out.decode().splitlines()[-1]))

    async def check_in(self, patient: Person) -> None:
        """The patient signs in and stands before the device check."""
        await patient.sign_in(self.patient, "/")
        await patient.confirm_place(self.appointment_id)
        await patient.open(f"/visit/{self.appointment_id}")

    async def wait(self, patient: Person, press: str = "Go to the waiting room") -> None:
        await patient.press(press)
        await patient.sees("waiting-room")

    async def let_in(self, patient: Person, doctor: Person) -> None:
        """The doctor's one press; both are in the call."""
        await doctor.press(f"Let in {PATIENT_NAME}")
        for person in (doctor, patient):
            await person.sees("call")

    async def begin(self, patient: Person, doctor: Person) -> None:
        """All of it, until both see each other move."""
        await doctor.sign_in(self.doctor, "/practice")
        await self.check_in(patient)
        await self.wait(patient)
        await self.let_in(patient, doctor)
        await asyncio.gather(patient.sees_movement(), doctor.sees_movement())


async def invite(doctor: Visitor, name: str, role: str = "Relative or carer") -> str:
    """The doctor makes a link for somebody without an account."""
    desk = doctor.page
    await desk.get_by_role("button", name="Invite").click()
    dialog = desk.get_by_role("dialog")
    if role != "Relative or carer":
        await dialog.get_by_role("button", name="Who is it").click()
        await desk.get_by_role("option", name=role).click()
    await dialog.get_by_label("Name").fill(name)
    await dialog.get_by_role("button", name="Make the link").click()
    link = await dialog.get_by_role("textbox", name="Link").input_value()
    await dialog.get_by_role("button", name="Close", exact=True).last.click()
    return link


async def open_chats(patient: Visitor, doctor: Visitor) -> None:
    await patient.page.get_by_role("toolbar").get_by_role("button", name="Chat").click()
    await doctor.page.get_by_role("tab", name="Chat").click()
