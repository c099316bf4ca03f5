"""Chromium and Firefox in one call: both see and hear each other, through mute, reload, and a shared screen."""

from __future__ import annotations

import asyncio

import pytest
from arrivals import DEVICES, SHARES_TAB, Arrive, ArriveInFirefox
from meeting import DOCTOR_NAME, Meeting, invite
from person import Person

pytestmark = pytest.mark.browser

SLOW = (f"{DEVICES[0]}=fps=10",)  # four encoders and twelve decoders share the test machine
CODECS = ("video/H264", "video/VP9", "video/AV1", "video/VP8")
PREFER = """
    const add = RTCPeerConnection.prototype.addTransceiver;
    RTCPeerConnection.prototype.addTransceiver = function (track, init) {
        const transceiver = add.call(this, track, init);
        const wanted = localStorage.preferredCodec;
        if (wanted && track.kind === "video") {
            const { codecs } = RTCRtpReceiver.getCapabilities("video");
            const rank = ({ mimeType }) => (mimeType === wanted ? 0 : 1);
            transceiver.setCodecPreferences(codecs.toSorted((a, b) => rank(a) - rank(b)));
        }
        return transceiver;
    };
"""


async def test_a_patient_in_firefox_and_a_doctor_in_chromium(
    arrive: Arrive, arrive_in_firefox: ArriveInFirefox, meeting: Meeting
) -> None:
    patient, doctor = await arrive_in_firefox("phone"), await arrive("desktop", devices=(*DEVICES, *SHARES_TAB))
    await meeting.begin(patient, doctor)
    await asyncio.gather(patient.hears(), doctor.hears())

    # A screen comes and goes, and comes again where the first one was.
    for _ in range(2):
        await doctor.press("Share screen")
        await patient.sees_screen_of(DOCTOR_NAME)
        await asyncio.gather(patient.sees_people(2), doctor.sees_movement())
        await doctor.press("Stop sharing")
        await patient.sees_no_screen()
        await asyncio.gather(patient.sees_movement(), doctor.sees_movement())

    # The microphone.
    await patient.press("Mute")
    await silence(patient, doctor)
    await patient.press("Unmute")
    await doctor.hears()

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
    await doctor.press("Mute")
    await silence(doctor, patient)
    await doctor.press("Unmute")
    await patient.hears()
    assert patient.broken == []
    assert doctor.broken == []


async def test_four_people_in_two_kinds_of_browser(
    arrive: Arrive, arrive_in_firefox: ArriveInFirefox, meeting: Meeting
) -> None:
    """Everybody sees and hears the three others, a screen that comes and goes, and one who reloads."""
    patient, doctor = await arrive("phone", devices=SLOW), await arrive("desktop", devices=(*SLOW, *SHARES_TAB))
    await meeting.begin(patient, doctor)
    guests: dict[str, Person] = {
        "Coumba Kane": await arrive("phone", devices=SLOW),
        "Fatou Kane": await arrive_in_firefox("phone"),
    }
    for name, guest in guests.items():
        await guest.open(await invite(doctor, name))
        await guest.press("Ask to join")
        await guest.sees("device-verdict")
        await guest.press("Ask to join")
        await guest.sees("waiting-room")
        await doctor.press(f"Let in {name}")
        await guest.sees("call")
    four: tuple[Person, ...] = (patient, doctor, *guests.values())
    await asyncio.gather(*(person.sees_people(3, timeout_s=60) for person in four))
    await asyncio.gather(*(person.hears(3, timeout_s=60) for person in four))

    receivers = (patient, *guests.values())
    await doctor.press("Share screen")
    await asyncio.gather(*(person.sees_screen_of(DOCTOR_NAME) for person in receivers))
    await doctor.press("Stop sharing")
    await asyncio.gather(*(person.sees_no_screen() for person in receivers))

    back = guests["Fatou Kane"]
    await back.reload()
    await back.sees("call", timeout_s=60)
    await asyncio.gather(*(person.sees_people(3, timeout_s=60) for person in four))
    await asyncio.gather(*(person.hears(3, timeout_s=60) for person in four))
    assert [person.broken for person in four] == [[], [], [], []]


async def test_every_codec_of_pictures_reaches_the_other_side(arrive: Arrive, meeting: Meeting) -> None:
    """The patient's page, made to prefer one codec after another; none of its packets is converted."""
    patient, doctor = await arrive("phone"), await arrive("desktop")
    await patient.page.add_init_script(PREFER)
    await meeting.begin(patient, doctor)
    offered = await patient.evaluate("() => RTCRtpSender.getCapabilities('video').codecs.map((c) => c.mimeType)")
    assert set(CODECS) <= set(offered), "this Chromium lacks a codec that the test is about"
    for codec in CODECS:
        await patient.evaluate("(codec) => { localStorage.preferredCodec = codec; }", codec)
        await patient.reload()
        await patient.sees("call")
        await doctor.sees_codec(codec)
        await asyncio.gather(patient.sees_movement(), doctor.sees_movement())
    assert patient.broken == []
    assert doctor.broken == []


async def silence(muted: Person, other: Person) -> None:
    """The muted page may send what it wants: nothing of it reaches the other."""
    async with asyncio.timeout(20):
        while True:
            before, sent = await other.packets("audio"), await muted.packets("audio")
            async with asyncio.timeout(10):
                while (await muted.packets("audio"))["sent"] < sent["sent"] + 50:  # a second's worth
                    await asyncio.sleep(0.1)
            if (await other.packets("audio"))["received"] == before["received"]:
                return
