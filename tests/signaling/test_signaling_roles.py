"""Who may do what in a visit with several people, over real servers: handing over, calling back, links withdrawn,
interpreters, pins, the call-back, and sign-ins that end. First those who may not."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from socketio.exceptions import ConnectionError as Refused
from test_signaling_call import meet, target

from consultations.schemas import SaveCheckIn
from core.errors import Forbidden, NotFound
from core.ids import uuid7
from core.security.principal import Principal
from signaling.modes import Modes
from signaling.presence import MOST_PEOPLE

pytest_plugins = ["live_stage"]
pytestmark = pytest.mark.integration


def acting(person: UUID, role: Any) -> Principal:
    return Principal(person, role, frozenset({role}))


async def guest_of(stage: Any, visit: Any, name: str = "Cousin Fatou", role: str = "guest") -> tuple[UUID, Any]:
    """Invited by the practitioner, redeemed, connected."""
    guests = stage.service.guests
    made, secret, _ = await guests.invite(acting(visit.practitioner, "practitioner"), visit.appointment, role, name)
    await guests.redeem(secret)
    token = await stage.service.guest_video_token(acting(made, role))
    device = stage.device("/consultation")
    await device.connect({"token": token.token})
    await device.wait("session.ready")
    return made, device


async def test_only_the_visit_s_practitioner_and_the_desk_hand_over_or_call_back(stage: Any, visit: Any) -> None:
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    await patient.ok("waiting.enter")
    colleague = stage.clinic.person("Oumar Ba", "Dr")
    other = await stage.practice(colleague)
    wanted = {**target(visit), "practitioner_id": str(colleague)}
    assert await other.error("waiting.transfer", wanted) == "forbidden"
    assert await other.error("waiting.recall", target(visit)) == "forbidden"
    practice = await stage.practice(visit.practitioner)
    assert await practice.error("waiting.transfer", {**wanted, "practitioner_id": str(uuid7())}) == "not_possible"
    assert await practice.error("waiting.transfer", {**wanted, "participant_id": str(uuid7())}) == "not_found"
    assert await practice.error("waiting.transfer", {**wanted, "note": "x" * 1001}) == "invalid_input"
    assert await practice.error("waiting.recall", {**target(visit), "participant_id": str(uuid7())}) == "not_found"


async def test_a_visit_in_the_call_is_handed_to_a_colleague(make_stage: Any, clinic: Any, visit: Any) -> None:
    """Over two processes: the colleague sits in another one than the patient."""
    stage, second = await make_stage(), await make_stage()
    patient, doctor, practice = await meet(stage, visit)
    _, guest = await guest_of(stage, visit)
    await guest.ok("waiting.enter")
    colleague = clinic.person("Oumar Ba", "Dr")
    theirs = await second.practice(colleague)
    desk = await second.practice(clinic.person("Desk"), "desk")
    await practice.ok("waiting.transfer", {**target(visit), "practitioner_id": str(colleague), "note": "Rash, fever."})
    told = await patient.wait("waiting.transferred")
    assert told["practitioner"] == {"name": "Oumar Ba", "title": "Dr"}
    removed = await doctor.wait("call.removed")
    assert removed["reason"] == "transferred"
    await doctor.closed.wait()
    listed = await theirs.wait("waiting.list", lambda data: len(data["items"]) == 2)
    item = next(each for each in listed["items"] if each["role"] == "patient")
    assert (item["state"], item["transferred_from"], item["position"]) == ("waiting", "Awa Diop", 1)
    await practice.wait("waiting.list", lambda data: data["items"] == [])
    note = await theirs.wait("practice.chat")
    assert (note["message"]["text"], note["message"]["audience"]) == ("Rash, fever.", "clinicians")
    assert await patient.error("call.join") == "not_admitted"
    assert await practice.error("waiting.admit", target(visit)) == "forbidden"
    token = await stage.token(visit.appointment, colleague, "practitioner")
    with pytest.raises(Forbidden):
        await stage.token(visit.appointment, visit.practitioner, "practitioner")
    back = stage.device("/consultation")
    with pytest.raises(Refused):
        await back.connect({"resume_token": doctor.ready["resume_token"], "last_seq": 0})
    await theirs.ok("waiting.admit", target(visit))
    await patient.wait("call.admitted", lambda data: data["seq"] > told["seq"])
    await patient.ok("call.join")
    new_doctor = second.device("/consultation")
    await new_doctor.connect({"token": token})
    await new_doctor.wait("session.ready")
    assert [each["text"] for each in new_doctor.ready["snapshot"]["last_messages"]] == ["Rash, fever."]
    joined = await new_doctor.ok("call.join")
    assert {each["name"] for each in joined["participants"]} == {"Moussa Traoré", "Oumar Ba"}
    assert patient.named("chat.message") == []
    assert desk.named("practice.chat") == [], "a note to a colleague is not for the desk"


async def test_whoever_wandered_off_is_called_back_and_keeps_the_place(
    make_stage: Any, clinic: Any, visit: Any
) -> None:
    stage = await make_stage(waiting_grace_s=60)
    patient = await stage.join_visit(visit.appointment, visit.patient, "patient")
    await patient.ok("waiting.enter")
    practice = await stage.practice(visit.practitioner)
    await patient.close()
    listed = await practice.wait(
        "waiting.list", lambda data: any(each["recalled_at"] for each in data["items"]), timeout_s=15
    )
    assert [(each["state"], each["position"]) for each in listed["items"]] == [("reconnecting", 1)]
    assert await practice.error("waiting.recall", target(visit)) == "recalled_already"
    async with stage.context.database("core").reading() as tx:
        async with asyncio.timeout(5):
            while "consultation.recalled" not in [
                row[0] for row in await tx.fetch("SELECT name FROM core.outbox WHERE order_key = $1", visit.appointment)
            ]:
                await asyncio.sleep(0.05)
    again = await stage.join_visit(visit.appointment, visit.patient, "patient")
    assert again.ready["snapshot"]["you"]["state"] == "waiting"
    assert again.ready["snapshot"]["waiting"]["position"] == 1


async def test_a_withdrawn_link_ends_the_guest_s_seat_and_every_token(stage: Any, visit: Any) -> None:
    patient, _, practice = await meet(stage, visit)
    made, guest = await guest_of(stage, visit)
    await guest.ok("waiting.enter")
    await practice.ok("waiting.admit", {**target(visit), "participant_id": str(made)})
    await guest.ok("call.join")
    await patient.wait("call.participant", lambda data: data["participant"]["name"] == "Cousin Fatou")
    token = (await stage.service.guest_video_token(acting(made, "guest"))).token
    guests = stage.service.guests
    with pytest.raises(Forbidden):
        await guests.revoke(acting(uuid7(), "practitioner"), visit.appointment, made)
    await guests.revoke(acting(visit.practitioner, "practitioner"), visit.appointment, made)
    await guest.wait("call.removed")
    await guest.closed.wait()
    await patient.wait("call.participant", lambda data: data["change"] == "left")
    for auth in ({"token": token}, {"resume_token": guest.ready["resume_token"], "last_seq": 0}):
        device = stage.device("/consultation")
        with pytest.raises(Refused):
            await device.connect(auth)
        assert device.refused["message"] in ("removed", "invitation_gone")
    with pytest.raises(Exception, match="invitation"):
        await stage.service.guest_video_token(acting(made, "guest"))
    found = await guests.invitations(acting(visit.practitioner, "practitioner"), visit.appointment)
    assert [(each.name, each.state) for each in found] == [("Cousin Fatou", "revoked")]
    await guests.revoke(acting(visit.practitioner, "practitioner"), visit.appointment, made)


async def test_an_interpreter_is_found_by_language_and_the_next_is_asked(stage: Any, visit: Any) -> None:
    patient, doctor, practice = await meet(stage, visit)
    _, guest = await guest_of(stage, visit)
    assert await guest.error("interpreter.request", {"language": "wo"}) == "forbidden"
    assert await doctor.error("interpreter.request", {"language": "not a language"}) == "invalid_input"
    search = stage.service.interpreters
    desk = acting(stage.clinic.person("Desk"), "desk")
    first, second, third = (stage.clinic.person(name) for name in ("Binta", "Cheikh", "Dieynaba"))
    for person, languages in ((first, ["wo-SN", "fr"]), (second, ["wo"]), (third, ["pt"])):
        await search.put(desk, person, languages)
        await search.set_duty(acting(person, "patient"), True)
    with pytest.raises(Forbidden):
        await search.put(acting(first, "patient"), first, ["en"])
    asked = await doctor.ok("interpreter.request", {"language": "wo-SN"})
    assert asked["state"] == "searching"
    assert await patient.error("interpreter.request", {"language": "wo"}) == "interpreter_requested"
    await patient.wait("interpreter.state", lambda data: data["state"] == "searching")
    offered = {person: await search.mine(acting(person, "patient")) for person in (first, second, third)}
    chosen = next(person for person, found in offered.items() if found.offers)
    other = second if chosen == first else first
    assert chosen != third
    assert not offered[other].offers
    await search.decline(acting(chosen, "patient"), offered[chosen].offers[0].id)
    with pytest.raises(Exception, match="answered"):
        await search.accept(acting(chosen, "patient"), offered[chosen].offers[0].id)
    offer = (await search.mine(acting(other, "patient"))).offers[0]
    with pytest.raises(NotFound):
        await search.accept(acting(third, "patient"), offer.id)
    session = await search.accept(acting(other, "patient"), offer.id)
    assert session.role == "interpreter"
    found = await patient.wait("interpreter.state", lambda data: data["state"] == "accepted")
    assert found["name"] == stage.clinic.people[other].name
    claims = stage.context.tokens.verify(session.guest_token, "guest")
    token = await stage.service.guest_video_token(acting(claims.subject, "interpreter"))
    interpreter = stage.device("/consultation")
    await interpreter.connect({"token": token.token})
    await interpreter.wait("session.ready")
    assert await interpreter.error("call.join") == "not_admitted"
    await interpreter.ok("waiting.enter")
    await practice.ok("waiting.admit", {**target(visit), "participant_id": str(claims.subject)})
    await interpreter.ok("call.join")
    await doctor.ok("call.pin", {"participant_id": str(claims.subject)})
    assert (await patient.wait("call.pinned"))["participant_id"] == str(claims.subject)
    assert await patient.error("call.pin", {"participant_id": None}) == "forbidden"


async def test_nobody_on_duty_is_said_at_once_and_a_missed_offer_runs_out(stage: Any, visit: Any) -> None:
    patient, doctor, _ = await meet(stage, visit)
    assert (await doctor.ok("interpreter.request", {"language": "ff"}))["state"] == "none"
    search = stage.service.interpreters
    desk = acting(stage.clinic.person("Desk"), "desk")
    only = stage.clinic.person("Binta")
    await search.put(desk, only, ["ff"])
    await search.set_duty(acting(only, "patient"), True)
    asked = await patient.ok("interpreter.request", {"language": "ff"})
    assert asked["state"] == "searching"
    async with asyncio.timeout(15):
        while not any(
            each["state"] == "none" and each["request_id"] == asked["request_id"]
            for each in patient.named("interpreter.state")
        ):
            await search.turn()
            await asyncio.sleep(0.1)
    assert (await search.mine(acting(only, "patient"))).offers == []
    again = await patient.ok("interpreter.request", {"language": "ff"})
    await doctor.ok("interpreter.cancel")
    await patient.wait(
        "interpreter.state",
        lambda data: data["request_id"] == again["request_id"] and data["state"] == "cancelled",
    )
    device = await stage.join_visit(visit.appointment, visit.patient, "patient")
    assert device.ready["seat"] == "seat_taken"


async def test_the_call_back_is_offered_with_the_number_for_the_practitioner_alone(stage: Any, visit: Any) -> None:
    patient, doctor, _ = await meet(stage, visit)
    assert await patient.error("call.mode", {"mode": "high"}) == "invalid_input"
    said = SaveCheckIn(
        identity_confirmed=True,
        red_flags_read=True,
        country="SN",
        place="Dakar, Médina",
        callback_phone="+221771234567",
    )
    view = await stage.service.check_ins.save(acting(visit.patient, "patient"), visit.appointment, said)
    assert (view.emergency_number, view.licensed_here) == ("1515", True)
    assert (await patient.ok("call.mode", {"mode": "phone"}))["mode"] == "phone"
    offered = await doctor.wait("call.mode")
    assert (offered["mode"], offered["reason"], offered["callback_phone"]) == ("phone", "chosen", "+221771234567")
    assert "callback_phone" not in await patient.wait("call.mode")
    redis = stage.context.redis
    for key in await redis.keys(f"visit:{visit.appointment}*"):
        assert b"771234567" not in await redis.dump(key)
    assert (await doctor.ok("call.mode", {"mode": "auto"}))["mode"] == "audio"
    await patient.wait("call.mode", lambda data: data["mode"] == "audio")


async def test_measured_quality_steps_the_mode_down_and_both_are_told(stage: Any, visit: Any) -> None:
    """The ladder's clock is ours here: measurements of half a minute, taken in by whichever process has the turn."""
    patient, doctor, _ = await meet(stage, visit)
    await patient.ok("media.report", {"loss": 0.2, "audio_samples": 900, "concealed": 100})
    modes: Modes = stage.live.modes
    key = f"visit:{visit.appointment}:ladder"
    stats = {str(visit.patient): {"loss_in": 0.08, "packets_in": 1}, str(visit.practitioner): {"loss_in": 0.0}}
    await modes.measured(str(visit.appointment), stats)
    state = await modes.current(str(visit.appointment))
    assert (state.mode, state.wanted) == ("high", "down")
    await stage.context.redis.hset(key, "since", str(state.since - 10))
    await stage.context.redis.delete(f"{key}:turn")
    await modes.measured(str(visit.appointment), stats)
    for device in (patient, doctor):
        told = await device.wait("call.mode")
        assert (told["mode"], told["reason"]) == ("low", "loss")
    await patient.close()
    back = await stage.resume(patient.ready["resume_token"], patient.numbers()[-1])
    assert back.ready["snapshot"]["mode"] == "low"


async def test_a_call_holds_twelve_people(stage: Any, visit: Any) -> None:
    _, doctor, practice = await meet(stage, visit)
    devices = []
    for number in range(MOST_PEOPLE - 1):
        made, guest = await guest_of(stage, visit, f"Guest {number}")
        await guest.ok("waiting.enter")
        await practice.ok("waiting.admit", {**target(visit), "participant_id": str(made)})
        devices.append(guest)
    for guest in devices[:-1]:
        await guest.ok("call.join")
    assert await devices[-1].error("call.join") == "call_full"
    await devices[0].ok("call.leave")
    await devices[-1].ok("call.join")
    assert len((await doctor.ok("call.join"))["participants"]) == MOST_PEOPLE


async def test_signing_out_cuts_the_seat_and_its_resume_token(make_stage: Any, clinic: Any, visit: Any) -> None:
    """The connections are in two processes; a fresh sign-in comes back to the same place."""
    stage, second = await make_stage(), await make_stage()
    patient, doctor, _ = await meet(stage, visit)
    session, other = uuid7(), uuid7()
    clinic.sign_ins |= {str(session), str(other)}
    await doctor.close()
    doctor = second.device("/consultation")
    await doctor.connect({"token": await stage.token(visit.appointment, visit.practitioner, "practitioner", session)})
    await doctor.wait("session.ready")
    await doctor.ok("call.join")
    practice = await second.practice(visit.practitioner, session=session)
    bystander = await second.practice(visit.practitioner, session=other)
    clinic.sign_ins.discard(str(session))
    await stage.context.redis.publish("identity:revoked", json.dumps({"session_id": str(session)}))
    async with asyncio.timeout(3):
        await doctor.closed.wait()
        await practice.closed.wait()
    await patient.wait("call.participant", lambda data: data["change"] == "left")
    assert not bystander.closed.is_set()
    for auth in (
        {"resume_token": doctor.ready["resume_token"], "last_seq": 0},
        {"token": await stage.token(visit.appointment, visit.practitioner, "practitioner", session)},
    ):
        device = second.device("/consultation")
        with pytest.raises(Refused):
            await device.connect(auth)
    fresh = second.device("/consultation")
    await fresh.connect({"token": await stage.token(visit.appointment, visit.practitioner, "practitioner", other)})
    await fresh.wait("session.ready")
    await fresh.ok("call.join")


async def test_a_cancelled_appointment_ends_its_call_within_a_second(stage: Any, visit: Any) -> None:
    patient, doctor, _ = await meet(stage, visit)
    async with stage.context.database("consultations").transaction() as tx:
        await stage.service.cancelled(tx, visit.appointment)
        assert not patient.named("call.ended")  # the relation ends with the commit, not before
    async with asyncio.timeout(1):
        await patient.wait("call.ended")
        await doctor.wait("call.ended")
    assert await patient.error("call.join") in ("visit_over", "not_admitted")


async def test_marks_show_what_arrived_and_was_read(stage: Any, visit: Any) -> None:
    patient, doctor, practice = await meet(stage, visit)
    made, guest = await guest_of(stage, visit)
    await guest.ok("waiting.enter")
    assert await guest.error("chat.delivered", {"message_id": str(uuid7())}) == "not_admitted"
    await practice.ok("waiting.admit", {**target(visit), "participant_id": str(made)})
    sent = [await doctor.ok("chat.send", {"client_id": str(n), "text": str(n), "audience": "all"}) for n in range(3)]
    secret = await doctor.ok("chat.send", {"client_id": "s", "text": "between us", "audience": "clinicians"})
    ids = [each["message_id"] for each in sent]
    assert await patient.error("chat.read", {"message_id": secret["message_id"]}) == "not_found"
    await patient.ok("chat.delivered", {"message_id": ids[1]})
    mark = await doctor.wait("chat.marks")
    assert (mark["participant_id"], mark["delivered"], mark["read"]) == (str(visit.patient), ids[1], None)
    await patient.ok("chat.read", {"message_id": ids[2]})
    await doctor.wait("chat.marks", lambda data: data["read"] == ids[2] and data["delivered"] == ids[2])
    told = len(doctor.named("chat.marks"))
    await patient.ok("chat.delivered", {"message_id": ids[0]})
    await patient.ok("chat.read", {"message_id": ids[1]})
    await doctor.ok("chat.read", {"message_id": secret["message_id"]})
    seen = await patient.wait("chat.marks", lambda data: data["participant_id"] == str(visit.practitioner))
    assert seen["read"] == ids[2], "of what was between clinicians the patient hears nothing"
    assert len(doctor.named("chat.marks")) == told
    view = await stage.service.view(acting(visit.patient, "patient"), visit.appointment)
    assert {str(each.participant_id): str(each.read) for each in view.chat_marks}[str(visit.patient)] == ids[2]
