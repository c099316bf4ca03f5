"""Reading, sealing and proving the trail on the real database."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

import compliance
from compliance.checkpoints import Signer, from_json, is_signed
from compliance.service import Audit
from core.context import Context
from core.errors import Forbidden, InvalidInput
from core.ids import uuid7
from core.security.principal import ANONYMOUS, Principal, Role
from server.audit import newest_checkpoint, verify_trail
from server.processes import ProcessError

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


GUARDED = ("core.audit_log", "compliance.sealed_rows", "compliance.checkpoints", "compliance.audit_cuts")


@asynccontextmanager
async def as_owner(postgres: str) -> AsyncIterator[Any]:
    """A superuser who has switched the triggers off. Others share this database: the chain is left as it was."""
    owner = await asyncpg.connect(postgres)
    try:
        for table in GUARDED:
            await owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield owner
    finally:
        for table in GUARDED:
            await owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        await owner.close()


async def forget_seal(owner: Any, seq: int) -> None:
    """Cut the chain's last link off, with its checkpoint."""
    sql = "DELETE FROM compliance.sealed_rows WHERE audit_seq = $1 RETURNING position"
    position = await owner.fetchval(sql, seq)
    await owner.execute("DELETE FROM compliance.checkpoints WHERE position = $1", position)


async def find(audit: Audit, who: Principal, patient: UUID | None, cursor: str | None = None, limit: int = 50):  # type: ignore[no-untyped-def]
    return await audit.search(
        who, patient_id=patient, actor_id=None, action=None, since=None, until=None, cursor=cursor, limit=limit
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

    async with as_owner(postgres) as owner:
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
        await forget_seal(owner, seq)
    assert (await audit.verify()).intact


async def test_a_row_inserted_past_the_program_is_named_before_and_after_its_sealing(
    audit: Audit, context: Context, postgres: str
) -> None:
    await write(context, uuid7(), uuid7())
    await audit.seal()
    insert = (
        "INSERT INTO core.audit_log (id, module, action, actor_id, actor_role, resource) VALUES"
        " ($1, 'bedside_records', 'record.read', $2, 'practitioner', 'record') RETURNING seq"
    )
    async with as_owner(postgres) as owner:
        seq = await owner.fetchval(insert, uuid7(), uuid7())
        for _ in range(2):
            found = await audit.verify()
            assert found.broken is not None
            assert (found.broken.audit_seq, found.broken.what) == (seq, "inserted")
            await audit.seal()
        # An id that another row has earned vouches for nothing else.
        await owner.execute("DELETE FROM core.audit_log WHERE seq = $1", seq)
        await forget_seal(owner, seq)
        assert (await audit.verify()).intact
        genuine = await owner.fetchval("SELECT id FROM core.audit_log WHERE action = 'record.read' LIMIT 1")
        stolen = UUID(bytes=uuid7().bytes[:10] + genuine.bytes[10:])
        seq = await owner.fetchval(insert, stolen, uuid7())
        found = await audit.verify()
        assert found.broken is not None
        assert found.broken.what == "inserted"
        await owner.execute("DELETE FROM core.audit_log WHERE seq = $1", seq)
    assert (await audit.verify()).intact


async def test_what_was_cut_off_or_sealed_anew_is_noticed_with_a_checkpoint_kept_elsewhere(
    audit: Audit, context: Context, postgres: str, tmp_path: Path
) -> None:
    for _ in range(2):
        await write(context, uuid7(), uuid7())
        await audit.seal()
    kept = tmp_path / "checkpoint.json"
    kept.write_text(await newest_checkpoint(context.settings), encoding="utf-8")
    assert (await verify_trail(context.settings, kept))[1]
    document = json.loads(kept.read_text(encoding="utf-8"))
    public = base64.b64decode(document["public_key"])
    assert is_signed(public, from_json(document))  # with the public key alone
    assert not is_signed(public, from_json({**document, "position": document["position"] + 1}))
    assert not is_signed(Signer(bytes(32)).public, from_json(document))
    async with as_owner(postgres) as owner:
        seq = await owner.fetchval("SELECT max(seq) FROM core.audit_log")
        await owner.execute("DELETE FROM core.audit_log WHERE seq = $1", seq)
        await forget_seal(owner, seq)
    lines, intact = await verify_trail(context.settings, kept)
    assert not intact
    assert lines[-1].endswith("cut")
    assert (await verify_trail(context.settings))[1]  # without the checkpoint nothing is amiss
    await write(context, uuid7(), uuid7())
    await audit.seal()
    lines, intact = await verify_trail(context.settings, kept)
    assert not intact
    assert lines[-1].endswith("checkpoint")
    forged = {**document, "position": document["position"] + 1000}
    kept.write_text(json.dumps(forged), encoding="utf-8")
    assert not (await verify_trail(context.settings, kept))[1]
    kept.write_text("[]", encoding="utf-8")
    with pytest.raises(ProcessError):
        await verify_trail(context.settings, kept)


async def test_a_changed_checkpoint_is_named(audit: Audit, context: Context, postgres: str) -> None:
    await write(context, uuid7(), uuid7())
    await audit.seal()
    async with as_owner(postgres) as owner:
        position = await owner.fetchval("SELECT max(position) FROM compliance.checkpoints")
        was = await owner.fetchval("SELECT signature FROM compliance.checkpoints WHERE position = $1", position)
        change = "UPDATE compliance.checkpoints SET signature = $2 WHERE position = $1"
        await owner.execute(change, position, bytes(64))
        found = await audit.verify()
        assert found.broken is not None
        assert (found.broken.position, found.broken.what) == (position, "checkpoint")
        await owner.execute(change, position, was)
    assert (await audit.verify()).intact


async def test_the_program_itself_can_change_neither_trail_nor_seals(audit: Audit, context: Context) -> None:
    await write(context, uuid7(), uuid7())
    await audit.seal()
    for module, statement in (
        ("compliance", "DELETE FROM core.audit_log"),
        ("core", "UPDATE core.audit_log SET action = ''"),
        ("compliance", "DELETE FROM compliance.sealed_rows"),
        ("compliance", "TRUNCATE compliance.sealed_rows"),
        ("compliance", "UPDATE compliance.checkpoints SET position = 0"),
        ("compliance", "DELETE FROM compliance.checkpoints"),
        ("compliance", "DELETE FROM compliance.audit_cuts"),
        ("identity", "SELECT core.cut_audit('{1}', now())"),
        (
            "core",
            "INSERT INTO core.audit_log (id, action, actor_role, resource) VALUES (NULL, '', '', '')",
        ),
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
