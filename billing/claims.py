"""Use cases of insurance: coverages, and claims that an insurer decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import structlog

from billing import ledger
from billing.access import Standing, relations
from billing.errors import InvoiceNotClaimable
from billing.events import ClaimDecided
from billing.insurers import Decision, Insurer, Submission
from billing.invoices import Invoices, about
from billing.lifecycle import CLAIM, move
from billing.models import Claim, Coverage, coverage_place
from billing.repository import Repository
from core.clock import Clock
from core.database import Database
from core.errors import NotFound
from core.ids import uuid7
from core.security.policy import Policy
from core.security.principal import SYSTEM, Principal
from core.security.vault import KeyDestroyed, Vault

BATCH = 50

log = structlog.get_logger("billing")


class Claims:
    def __init__(
        self,
        database: Database,
        repository: Repository,
        clock: Clock,
        policy: Policy,
        vault: Vault,
        invoices: Invoices,
        insurers: Mapping[str, Insurer],
        otherwise: Insurer,
        standing: Standing,
    ) -> None:
        """``otherwise`` decides for insurers that have no connection of their own."""
        self._database = database
        self._repository = repository
        self._clock = clock
        self._policy = policy
        self._vault = vault
        self._invoices = invoices
        self._insurers = insurers
        self._otherwise = otherwise
        self._standing = standing

    async def add_coverage(self, principal: Principal, patient_id: UUID, insurer: str, member_number: str) -> Coverage:
        """Raises Forbidden."""
        self._policy.require(principal, "coverage.write", await self._standing.to_patient(principal, patient_id))
        coverage_id = uuid7()
        coverage = Coverage(
            id=coverage_id,
            patient_id=patient_id,
            insurer=insurer,
            member_number=await self._vault.encrypt_text(patient_id, coverage_place(coverage_id), member_number),
            last4=member_number[-4:],
            created_at=self._clock.now(),
        )
        async with self._database.transaction() as tx:
            await self._repository.insert_coverage(tx, coverage)
            await tx.audit(
                "coverage.added",
                actor_id=principal.person_id,
                actor_role=principal.role,
                resource="coverage",
                resource_id=coverage_id,
                patient_id=patient_id,
            )
        return coverage

    async def coverages(self, principal: Principal, patient_id: UUID) -> list[Coverage]:
        """Raises Forbidden."""
        self._policy.require(principal, "coverage.read", await self._standing.to_patient(principal, patient_id))
        async with self._database.transaction() as tx:
            await tx.audit(
                "coverage.list",
                actor_id=principal.person_id,
                actor_role=principal.role,
                resource="coverage",
                patient_id=patient_id,
            )
            return await self._repository.coverages(tx, patient_id)

    async def submit(self, principal: Principal, invoice_id: UUID, coverage_id: UUID) -> Claim:
        """Claim what is outstanding. Raises NotFound, Forbidden, InvoiceNotClaimable."""
        standing = await self._standing.to_invoice(principal, invoice_id)
        async with self._database.transaction() as tx:
            invoice = await self._repository.invoice(tx, invoice_id, lock=True)
            if invoice is None:
                raise NotFound()
            self._policy.require(principal, "claim.make", relations(principal, invoice) or standing)
            coverage = await self._repository.coverage(tx, coverage_id)
            if coverage is None or coverage.patient_id != invoice.patient_id:
                raise NotFound("This patient has no such coverage")
            if invoice.status != "due" or invoice.outstanding == 0:
                raise InvoiceNotClaimable(f"This invoice is {invoice.status.replace('_', ' ')}")
            if await self._repository.has_live_payment(tx, invoice_id):
                raise InvoiceNotClaimable("A payment of this invoice is under way")
            claim = Claim(
                id=uuid7(),
                invoice_id=invoice_id,
                coverage_id=coverage_id,
                status="submitted",
                amount_minor=invoice.outstanding,
                approved_minor=None,
                currency=invoice.currency,
                created_at=self._clock.now(),
            )
            await self._repository.insert_claim(tx, claim)
            await tx.audit(
                "claim.submitted",
                actor_id=principal.person_id,
                actor_role=principal.role,
                resource="claim",
                resource_id=claim.id,
                patient_id=invoice.patient_id,
            )
        return claim

    async def claims(self, principal: Principal, invoice_id: UUID) -> list[Claim]:
        """Raises NotFound, Forbidden."""
        standing = await self._standing.to_invoice(principal, invoice_id)
        async with self._database.reading() as tx:
            invoice = await self._repository.invoice(tx, invoice_id)
            if invoice is None:
                raise NotFound()
            self._policy.require(principal, "claim.read", relations(principal, invoice) or standing)
            return await self._repository.claims(tx, invoice_id)

    async def decide(self) -> int:
        """Ask insurers about every open claim; returns how many were decided. Safe to run twice."""
        async with self._database.reading() as tx:
            waiting = await self._repository.undecided_claims(tx, BATCH)
        decided = 0
        for claim in waiting:
            async with self._database.reading() as tx:
                coverage = await self._repository.coverage(tx, claim.coverage_id)
            assert coverage is not None
            try:
                member_number = await self._vault.decrypt_text(
                    coverage.patient_id, coverage_place(coverage.id), coverage.member_number
                )
            except KeyDestroyed:
                decided += await self._record(claim, Decision("rejected", 0))
                continue
            insurer = self._insurers.get(coverage.insurer.lower(), self._otherwise)
            submission = Submission(
                claim.id, coverage.insurer, member_number, claim.amount_minor, claim.currency, claim.created_at
            )
            try:
                decision = await insurer.decision(submission, self._clock.now())
            except Exception as error:  # one insurer's failure is no other claim's
                log.warning("insurer_away", claim_id=str(claim.id), error=type(error).__name__)
                continue
            if decision is not None:
                decided += await self._record(claim, decision)
        return decided

    async def _record(self, claim: Claim, decision: Decision) -> bool:
        async with self._database.transaction() as tx:
            now = self._clock.now()
            invoice = await self._repository.invoice(tx, claim.invoice_id, lock=True)
            present = await self._repository.claim(tx, claim.id, lock=True)
            assert invoice is not None
            assert present is not None
            if present.status != "submitted":
                return False
            move(CLAIM, present.status, decision.outcome)
            approved = min(decision.approved_minor, invoice.outstanding)
            await self._repository.decide_claim(tx, claim.id, decision.outcome, approved, now)
            if approved:
                entry = ledger.claim(claim.id, invoice.id, approved, invoice.currency)
                await self._repository.enter(tx, entry, now)
                covered = replace(invoice, covered_minor=invoice.covered_minor + approved)
                await self._invoices.settle(tx, await self._repository.save_invoice(tx, covered))
            await tx.publish(ClaimDecided(**about(invoice), claim_id=claim.id, outcome=decision.outcome))
            await tx.audit(
                f"claim.{decision.outcome}",
                actor_id=SYSTEM.person_id,
                actor_role=SYSTEM.role,
                resource="claim",
                resource_id=claim.id,
                patient_id=invoice.patient_id,
            )
        return True
