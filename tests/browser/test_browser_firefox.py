"""Chromium and Firefox in one call: both see and hear each other, through mute, reload, and a third picture."""

from __future__ import annotations

import asyncio

import pytest
from arrivals import Arrive, ArriveInFirefox
from meeting import Meeting

pytestmark = pytest.mark.browser


async def test_a_patient_in_firefox_and_a_doctor_in_chromium(
    arrive: Arrive, arrive_in_firefox: ArriveInFirefox, meeting: Meeting
) -> None:
    patient, doctor = await arrive_in_firefox("phone"), await arrive("desktop")
    await meeting.begin(patient, doctor)
    await asyncio.gather(patient.hears(), doctor.hears())

    # A reload in the call comes back to the call.
    await patient.reload()
    await patient.sees("call")
    await asyncio.gather(*(person.sees_movement() for person in (patient, doctor)))
    await asyncio.gather(patient.hears(), doctor.hears())
    assert patient.broken == []
    assert doctor.broken == []


async def test_a_doctor_in_firefox_and_a_patient_in_chromium(
    arrive: Arrive, arrive_in_firefox: ArriveInFirefox, meeting: Meeting
) -> None:
    patient, doctor = await arrive("phone"), await arrive_in_firefox("desktop")
    await meeting.begin(patient, doctor)
    await asyncio.gather(patient.hears(), doctor.hears())
    assert patient.broken == []
    assert doctor.broken == []
