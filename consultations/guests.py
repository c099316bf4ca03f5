"""People without an account in a visit: inviting them by a one-time link, letting them redeem it, withdrawing it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

from consultations import lifecycle, repository
from consultations.errors import InvitationGone
from consultations.invitations import InvitationRow, Invitations
from consultations.ports import AppointmentInfo, Visits
from consultations.schemas import GuestSession, InvitationInfo
from core.clock import rfc3339
from core.context import Context
from core.errors import NotFound
from core.security.principal import Principal

log = logging.getLogger(__name__)

# A guest session outlives no day: no token of ours does.
LONGEST_TOKEN = timedelta(hours=24)

May = Callable[[Principal, str, UUID], Awaitable[AppointmentInfo]]


class Guests:
    def __init__(self, context: Context, invitations: Invitations, visits: Visits, may: May) -> None:
        self._context = context
        self._database = context.database("consultations")
        self._invitations = invitations
        self._visits = visits
        self._may = may  # the appointment, if the policy lets this person act on its visit

    async def invite(self, principal: Principal, appointment_id: UUID, role: str, name: str) -> tuple[UUID, str, str]:
        """Returns the invitation's id, its secret (shown once) and its expiry."""
        found = await self._may(principal, "consultation.invite", appointment_id)
        now = self._context.clock.now()
        if found.status in lifecycle.OVER or now >= found.closes_at:
            lifecycle.require_open(found.status, found.opens_at, found.closes_at, now)
        async with self._database.transaction() as tx:
            await repository.ensure(tx, appointment_id, found.patient_id, found.practitioner_id)
            made = await self._invitations.make(tx, found, role, name, principal.id, now)
            await tx.audit(
                "consultation.invited",
                actor_id=principal.person_id,
                actor_role=principal.role,
                resource="consultation",
                resource_id=appointment_id,
                patient_id=found.patient_id,
            )
        return made.id, made.secret, rfc3339(found.closes_at)

    async def invitations(self, principal: Principal, appointment_id: UUID) -> list[InvitationInfo]:
        """Who was invited, and what has become of the links."""
        found = await self._may(principal, "consultation.invite", appointment_id)
        now = self._context.clock.now()
        async with self._database.reading() as tx:
            rows = await self._invitations.of_visit(tx, appointment_id)
        return [
            InvitationInfo(
                id=row.id,
                role=row.role,
                name=await self._invitations.name_of(row, found.patient_id),
                created_at=rfc3339(row.created_at),
                expires_at=rfc3339(row.expires_at),
                redeemed_at=_time(row.redeemed_at),
                revoked_at=_time(row.revoked_at),
                state=row.state(now),
            )
            for row in rows
        ]

    async def revoke(self, principal: Principal, appointment_id: UUID, invitation_id: UUID) -> None:
        """Withdraw a link; whoever came by it is out of the visit. A patient's own ones, all for the practitioner.

        Raises NotFound, Forbidden. Withdrawn twice changes nothing.
        """
        found = await self._may(principal, "consultation.invite", appointment_id)
        async with self._database.transaction() as tx:
            row = await self._invitations.get(invitation_id)
            if row is None or row.consultation_id != appointment_id:
                raise NotFound()
            if principal.role != "practitioner" and row.created_by != principal.id:
                raise NotFound()
            if await self._invitations.revoke(tx, invitation_id, self._context.clock.now()):
                await tx.audit(
                    "consultation.invitation_revoked",
                    actor_id=principal.person_id,
                    actor_role=principal.role,
                    resource="consultation",
                    resource_id=appointment_id,
                    patient_id=found.patient_id,
                    details={"invitation_id": str(invitation_id)},
                )
        try:
            await self._visits.invitation_revoked(appointment_id, invitation_id)
        except Exception:
            # The link is dead whatever the live side does: no token comes of it any more.
            log.exception("live_visit_not_told", extra={"appointment_id": str(appointment_id)})

    async def redeem(self, secret: str) -> GuestSession:
        """Once, for whoever comes first. Raises InvitationGone."""
        now = self._context.clock.now()
        async with self._database.transaction() as tx:
            invitation = await self._invitations.redeem(tx, secret, now)
            row = await repository.get(tx, invitation.consultation_id)
            if row is None or row.status in ("completed", "cancelled"):
                raise InvitationGone()
            await tx.audit(
                "consultation.invitation_redeemed",
                actor_id=invitation.id,
                actor_role=invitation.role,
                resource="consultation",
                resource_id=invitation.consultation_id,
                patient_id=row.patient_id,
            )
        return await self.session(invitation, row.patient_id, now)

    async def session(self, invitation: InvitationRow, patient_id: UUID, now: datetime) -> GuestSession:
        """A session for somebody whose invitation is redeemed."""
        lifetime = min(invitation.expires_at - now, LONGEST_TOKEN)
        token = self._context.tokens.issue(
            "guest",
            invitation.id,
            lifetime,
            appointment_id=str(invitation.consultation_id),
            role=invitation.role,
        )
        return GuestSession(
            guest_token=token,
            expires_at=rfc3339(now + lifetime),
            appointment_id=invitation.consultation_id,
            role=invitation.role,
            name=await self._invitations.name_of(invitation, patient_id),
        )


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
