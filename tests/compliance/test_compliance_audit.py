"""Reading, sealing and proving the trail on the real database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg
import pytest

import compliance
from compliance.service import Audit
from core.context import Context
from core.errors import Forbidden, InvalidInput
from core.ids import uuid7
from core.security.principal import ANONYMOUS, Principal, Role
from server.audit import verify_trail

pytestmark = pytest.mark.integration


class Names:
    async def names(self, ids: Sequence[UUID]) -> Mapping[UUID, str]:
        return {each: f"name of {each}" for each in ids}

    async def is_patient(self, person_id: UUID) -> bool:
        return True


@pytest.fixture
def audit(context: Context) -> Audit:
    return compliance.setup(context, people=Names()).audit


def acting(role: Role, person_id: UUID | None = None) -> Principal:
    return Principal(person_id or uuid7(), role, frozenset({role}))


async def write(context: Context, patient: UUID, actor: UUID, action: str = "record.read") -> None:
    async with context.database("compliance").transaction() as tx:
        await tx.audit(action, actor_id=actor, actor_role="practitioner", resource="record", patient_id=patient)


async def find(audit: Audit, who: Principal, patient: UUID | None, cursor: str | None = None, limit: int = 50):  # type: ignore[no-untyped-def]
    return await audit.search(
        who, patient_id=patient, actor_id=None, since=None, until=None, cursor=cursor, limit=limit
    )


async def test_only_auditors_and_administrators_search(audit: Audit) -> None:
    others: list[Role] = ["patient", "practitioner", "desk", "interpreter", "guest"]
    for who in (ANONYMOUS, *(acting(role) for role in others)):
        with pytest.raises(Forbidden):
            await find(audit, who, None)


async def test_a_search_pages_and_is_itself_audited(audit: Audit, context: Context) -> None:
    patient, auditor = uuid7(), acting("auditor")
    for _ in range(3):
        await write(context, patient, uuid7())
    page, cursor = await find(audit, auditor, patient, limit=2)
    rest, end = await find(audit, auditor, patient, cursor, limit=2)
    assert (len(page), [each.row.action for each in rest], end) == (2, ["record.read"], None)
    assert page[0].actor_name == f"name of {page[0].row.actor_id}"
    newest, _ = await find(audit, auditor, patient, limit=1)
    assert (newest[0].row.action, newest[0].row.actor_id) == ("audit.searched", auditor.id)
    with pytest.raises(InvalidInput):
        await find(audit, auditor, patient, "rubbish")


async def test_a_patient_sees_what_others_did_and_of_nobody_else(audit: Audit, context: Context) -> None:
    patient, doctor = uuid7(), uuid7()
    await write(context, patient, doctor)
    await write(context, patient, patient)
    await write(context, uuid7(), doctor)
    seen, _ = await audit.record_accesses(acting("patient", patient), cursor=None, limit=50)
    assert [each.row.actor_id for each in seen] == [doctor]


async def test_the_trail_is_sealed_once_and_a_changed_row_is_named(
    audit: Audit, context: Context, postgres: str
) -> None:
    for _ in range(5):
        await write(context, uuid7(), uuid7())
    await asyncio.gather(audit.seal(), audit.seal())
    assert await audit.seal() == 0
    before = await audit.verify()
    assert before.intact
    assert before.unsealed == 0
    await write(context, uuid7(), uuid7(), "tampered.later")
    assert (await audit.verify()).unsealed == 1
    assert await audit.seal() == 1
    after = await audit.verify()
    assert (after.intact, after.sealed) == (True, before.sealed + 1)

    owner = await asyncpg.connect(postgres)
    try:
        await owner.execute("ALTER TABLE core.audit_log DISABLE TRIGGER audit_log_append_only")
        seq = await owner.fetchval("SELECT max(seq) FROM core.audit_log")
        for change, undo, what in (
            ("UPDATE core.audit_log SET action = 'nothing' WHERE seq = $1", "tampered.later", "altered"),
            ("DELETE FROM core.audit_log WHERE seq = $1", None, "deleted"),
        ):
            await owner.execute(change, seq)
            broken = (await audit.verify()).broken
            assert broken is not None
            assert (broken.audit_seq, broken.what) == (seq, what)
            if undo:
                await owner.execute("UPDATE core.audit_log SET action = $2 WHERE seq = $1", seq, undo)
                assert (await audit.verify()).intact
        # Others share this database: leave the chain as it was.
        await owner.execute("ALTER TABLE compliance.sealed_rows DISABLE TRIGGER sealed_rows_append_only")
        await owner.execute("DELETE FROM compliance.sealed_rows WHERE audit_seq = $1", seq)
    finally:
        await owner.execute("ALTER TABLE core.audit_log ENABLE TRIGGER audit_log_append_only")
        await owner.execute("ALTER TABLE compliance.sealed_rows ENABLE TRIGGER sealed_rows_append_only")
        await owner.close()
    assert (await audit.verify()).intact


async def test_the_program_itself_can_change_neither_trail_nor_seals(audit: Audit, context: Context) -> None:
    await write(context, uuid7(), uuid7())
    await audit.seal()
    for module, statement in (
        ("compliance", "DELETE FROM core.audit_log"),
        ("core", "UPDATE core.audit_log SET action = ''"),
        ("compliance", "DELETE FROM compliance.sealed_rows"),
        ("compliance", "TRUNCATE compliance.sealed_rows"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with context.database(module).transaction() as tx:
                await tx.execute(statement)


async def test_the_command_proves_the_trail_by_itself(audit: Audit, context: Context) -> None:
    await write(context, uuid7(), uuid7())
    await audit.seal()
    lines, intact = await verify_trail(context.settings)
    assert intact
    assert lines[-1] == "the trail is intact"
    await write(context, uuid7(), uuid7())
    lines, intact = await verify_trail(context.settings)
    assert intact
    assert any(line.startswith("not sealed yet: 1") for line in lines)
