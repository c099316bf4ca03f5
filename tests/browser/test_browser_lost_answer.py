"""An answer to an offer that never arrives: the server offers nothing more before it has it, so it is said again."""

from __future__ import annotations

import asyncio

import pytest
from arrivals import DEVICES, SHARES_TAB, Arrive
from meeting import DOCTOR_NAME, Meeting
from playwright.async_api import WebSocketRoute

pytestmark = pytest.mark.browser


async def test_an_answer_that_got_lost_is_said_again(arrive: Arrive, meeting: Meeting) -> None:
    patient, doctor = await arrive("phone"), await arrive("desktop", devices=(*DEVICES, *SHARES_TAB))
    losing, lost = asyncio.Event(), list[str]()

    def carry(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if losing.is_set() and isinstance(message, str) and '"media.answer"' in message:
                losing.clear()
                lost.append(message)
            else:
                server.send(message)

        socket.on_message(pass_on)

    await patient.page.route_web_socket("**/socket.io/**", carry)
    await meeting.begin(patient, doctor)
    losing.set()
    await doctor.press("Share screen")
    await patient.sees_screen_of(DOCTOR_NAME)
    assert len(lost) == 1
    await doctor.press("Stop sharing")
    await patient.sees_no_screen()
    await asyncio.gather(patient.sees_movement(), doctor.sees_movement())
    assert patient.broken == []
