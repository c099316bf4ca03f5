"""The shared line of drop-ins, live: strangers first, then places, being called, leaving."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_stage import StandsInLine
from socketio.exceptions import ConnectionError as Refused

from core.ids import uuid7
from signaling.estimates import LINE_PACE_S, line_wait

pytest_plugins = ["live_stage"]


def stand(clinic: Any, specialty: str = "general-practice") -> StandsInLine:
    made = StandsInLine(uuid7(), clinic.person("Somebody"), specialty)
    clinic.drop_ins[made.id] = made
    return made


async def connected(stage: Any, each: StandsInLine, person: UUID | None = None) -> Any:
    device = stage.device("/queue")
    await device.connect({"token": str(person or each.patient_id), "drop_in_id": str(each.id)})
    return device


@pytest.mark.integration
async def test_nobody_sees_another_s_place(stage: Any, clinic: Any) -> None:
    each = stand(clinic)
    for auth, code in (
        (None, "invalid_token"),
        ({"token": "x"}, "invalid_token"),
        ({"token": "nonsense", "drop_in_id": str(each.id)}, "invalid_token"),
        ({"token": str(uuid7()), "drop_in_id": str(each.id)}, "forbidden"),
        ({"token": str(each.patient_id), "drop_in_id": str(uuid7())}, "not_found"),
    ):
        device = stage.device("/queue")
        with pytest.raises(Refused):
            await device.connect(auth)
        assert device.refused["message"] == code


@pytest.mark.integration
async def test_places_move_up_as_practitioners_take_people(make_stage: Any, clinic: Any) -> None:
    """The three stand in one line over two processes; another line does not move."""
    stage, second = await make_stage(), await make_stage()
    people = [stand(clinic) for _ in range(3)]
    other = stand(clinic, "dermatology")
    devices = [await connected(stage if n % 2 else second, each) for n, each in enumerate(people)]
    apart = await connected(stage, other)
    for place, device in enumerate(devices, start=1):
        shown = await device.wait("queue.updated")
        assert (shown["position"], shown["waiting"]) == (place, 3)
        assert shown["estimated_wait_s"] == place * LINE_PACE_S
    assert (await apart.wait("queue.updated"))["position"] == 1
    people[0].status, people[0].appointment_id = "taken", uuid7()
    called = await devices[0].wait("queue.called")
    assert called["appointment_id"] == str(people[0].appointment_id)
    await devices[2].wait("queue.updated", lambda data: data["position"] == 2)
    people[1].status = "left"
    assert (await devices[1].wait("queue.over"))["status"] == "left"
    await devices[2].wait("queue.updated", lambda data: data["position"] == 1)
    again = await connected(second, people[2])
    assert (await again.wait("queue.updated"))["position"] == 1
    assert len(apart.named("queue.updated")) == 1


@given(st.integers(1, 1000), st.lists(st.floats(0, 7200), max_size=40), st.floats(0, 7200))
def test_further_back_never_waits_less(place: int, ago: list[float], later: float) -> None:
    takes = sorted((-each for each in ago), reverse=True)
    assert 0 <= line_wait(place, takes, later) <= line_wait(place + 1, takes, later)


def test_a_line_that_moves_every_minute_is_told_so() -> None:
    takes = [1000.0 - 60 * n for n in range(30)]
    assert 10 * 60 <= line_wait(10, takes, 1000.0) < 10 * 90
