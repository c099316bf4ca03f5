"""The network test of the check-in: figures of a real browser, a sentence for the person, a tag for the practice."""

from __future__ import annotations

import re
import time

import pytest
from arrivals import Arrive
from meeting import Meeting
from playwright.async_api import expect

pytestmark = pytest.mark.browser

LONGEST_S = 12.0


async def test_the_network_is_tested_before_anybody_is_admitted(arrive: Arrive, meeting: Meeting) -> None:
    patient, doctor = await arrive("phone"), await arrive("desktop")
    await doctor.sign_in(meeting.doctor, "/practice")
    await meeting.check_in(patient)
    test = patient.page.get_by_test_id("network-test")
    await expect(test.get_by_role("status")).to_contain_text("Testing your network")
    began = time.monotonic()
    await expect(test).to_have_attribute("data-verdict", re.compile("good|fair|poor"), timeout=LONGEST_S * 1000)
    print(f"verdict {await test.get_attribute('data-verdict')} after {time.monotonic() - began:.1f} s")
    await test.get_by_text("Figures").click()
    for way in ("udp", "tcp"):
        direct = test.locator(f"[data-way={way}]")
        await expect(direct).to_have_attribute("data-state", "measured")
        figures = await direct.locator("dd").inner_text()
        print(way, figures)
        up, down, loss, *_ = (float(number) for number in re.findall(r"[\d.]+", figures))
        assert up > 100
        assert down > 100
        assert loss < 50
    # What does not exist says so.
    await expect(test.locator("[data-way=relay]")).to_have_attribute("data-state", "absent")
    verdict = await test.get_attribute("data-verdict")
    await meeting.wait(patient)
    await expect(doctor.page.locator(f".v-tag[data-readiness={verdict}]").first).to_be_visible(timeout=10_000)
    assert patient.broken == doctor.broken == []


async def test_a_blocked_network_is_told_and_nobody_is_kept_out(arrive: Arrive, meeting: Meeting) -> None:
    """Where no packet gets through the test says what to do, and the way on stays open."""
    patient = await arrive("phone")
    # What a firewall does, seen from the page: every candidate of the server leads nowhere.
    await patient.page.add_init_script(
        """
        const set = RTCPeerConnection.prototype.setRemoteDescription;
        RTCPeerConnection.prototype.setRemoteDescription = function (description) {
          const sdp = description.sdp.replace(/(a=candidate:.* 127\\.0\\.0\\.1 )\\d+/g, "$19");
          return set.call(this, { type: description.type, sdp });
        };
        """
    )
    await meeting.check_in(patient)
    test = patient.page.get_by_test_id("network-test")
    await expect(test).to_have_attribute("data-verdict", "poor", timeout=LONGEST_S * 1000)
    await expect(test.get_by_role("status")).to_contain_text("blocks picture and sound")
    await expect(test.get_by_role("button", name="Test again")).to_be_visible()
    await meeting.wait(patient)
