"""``make run LAN=1``: the page comes over TLS by the machine's address in the network, and the call works there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import expect
from server_process import Demonstration
from test_browser_journey import DOCTOR, PATIENT, open_visit
from visitor import Visitor

pytestmark = pytest.mark.browser

# An address of this machine other than the usual one, as the local network's is.
NETWORK = "127.0.0.2"


@pytest.fixture
async def lan(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demonstration]:
    running = Demonstration(tmp_path_factory.mktemp("lan"), lan=NETWORK)
    await running.start()
    yield running
    await running.stop()


async def test_a_visit_between_this_machine_and_the_network(
    lan: Demonstration, arrive_at: Callable[..., Awaitable[Visitor]]
) -> None:
    assert any(f"https://{NETWORK}:{lan.http_port}" in line for line in lan.lines)
    doctor = await arrive_at(f"https://127.0.0.1:{lan.http_port}", "desktop")
    patient = await arrive_at(lan.url, "phone")
    await doctor.sign_in(DOCTOR, "/practice")
    await patient.sign_in(PATIENT, "/")
    visit = await open_visit(patient, doctor)
    await patient.confirm_place(visit)
    await patient.page.goto(f"/visit/{visit}")
    await expect(patient.page.get_by_test_id("device-verdict")).to_contain_text("Camera and microphone work")
    await patient.page.get_by_role("button", name="Go to the waiting room").click()
    await doctor.page.get_by_test_id("waiting-person").get_by_role("button", name="Let in").first.click()
    await asyncio.gather(patient.sees_movement(), doctor.sees_movement())
    assert patient.broken == []
    assert doctor.broken == []
