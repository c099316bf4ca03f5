"""People: accounts, sign-in, profiles, practitioners, care relations, who acts for whom."""

from __future__ import annotations

from dataclasses import dataclass

from core.context import Context
from core.security.master import MasterKey
from core.security.policy import ACCOUNTS
from identity import administration, staff_invitations
from identity import proxies as acting
from identity.accounts import Accounts
from identity.administration import Administration
from identity.administration_routes import build_administration_routes
from identity.directory import Directory
from identity.email_change_routes import add_email_change_routes
from identity.email_changes import EmailChanges
from identity.factor_routes import add_factor_routes
from identity.family import Family
from identity.family_routes import build_family_routes
from identity.federation import Federation
from identity.federation_routes import add_federation_routes
from identity.guard import Guard
from identity.links import Links
from identity.passkeys import Ceremonies
from identity.passwords import Passwords
from identity.personal import Personal
from identity.ports import Emergencies, NoEmergencies
from identity.provider_accounts import ProviderAccounts
from identity.proxies import Proxies
from identity.resetting import Resetting
from identity.routes import build_routes
from identity.second_factors import SecondFactors
from identity.sessions import Sessions
from identity.signin import SignIn
from identity.staff_invitation_routes import add_staff_invitation_routes
from identity.staff_invitations import StaffInvitations
from identity.subscribers import subscribe

FORGET_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Identity:
    accounts: Accounts
    directory: Directory
    sign_in: SignIn
    factors: SecondFactors
    resetting: Resetting
    email_changes: EmailChanges
    staff_invitations: StaffInvitations
    federation: Federation
    provider_accounts: ProviderAccounts
    administration: Administration
    personal: Personal
    proxies: Proxies
    family: Family


def setup(context: Context, emergencies: Emergencies | None = None) -> Identity:
    """``sign_in.authenticate`` is what the HTTP and Socket.IO edges ask who a token stands for."""
    settings, clock = context.settings, context.clock
    master = MasterKey.parse(settings.security.master_key.get_secret_value())
    database = context.database("identity")
    passwords = Passwords(settings.security)
    guard = Guard(context.redis, clock, settings.limits.wrong_per_address)
    sessions = Sessions(context.redis, master.derive("refresh tokens"), settings.security)
    verification_links = Links(master.derive("email verification links"))
    reset_links = Links(master.derive("password reset links"))
    accounts = Accounts(database, passwords, verification_links, clock, settings)
    ceremonies = Ceremonies(context.redis, settings.public_url)
    recovery_key = master.derive("recovery codes")
    factors = SecondFactors(database, context.vault, guard, ceremonies, recovery_key, clock)
    sign_in = SignIn(database, sessions, guard, passwords, factors, context.tokens, clock, settings)
    resetting = Resetting(database, sessions, guard, passwords, reset_links, clock, settings)
    email_changes = EmailChanges(
        database,
        sessions,
        guard,
        passwords,
        Links(master.derive("email change links")),
        Links(master.derive("email change undo links")),
        clock,
        settings,
    )
    staff = StaffInvitations(
        database, passwords, Links(master.derive("staff invitation links")), sign_in, context.policy, clock, settings
    )
    staff_invitations.allow(context.policy)
    proxies = Proxies(database, context.vault, context.policy, clock, context.redis, settings.family)
    directory = Directory(database, context.vault, context.policy, clock, emergencies or NoEmergencies(), proxies)
    context.policy.allow("patient.read", "patient", relation=("self", "proxy_read"))
    context.policy.allow("patient.read", "practitioner", relation=("self", "care", "break_glass"))
    context.policy.allow("patient.read", "desk", "admin")
    context.policy.allow("people.list", "desk", "admin")
    routes = build_routes(accounts, directory, sign_in, resetting, context.tokens, settings)
    add_email_change_routes(routes, email_changes)
    add_staff_invitation_routes(routes, staff, settings)
    add_factor_routes(routes, sign_in, factors, settings)
    federation = Federation(
        database,
        context.redis,
        settings.oidc.providers,
        settings.public_url,
        sign_in,
        factors,
        guard,
        context.tokens,
        clock,
    )
    outside = ProviderAccounts(database, context.vault, passwords, guard, context.tokens, sign_in, clock)
    add_federation_routes(routes, federation, outside, settings)
    context.routes.append(routes)
    context.jobs.every(FORGET_EVERY_S, "identity.forget_resets", resetting.forget_old)
    context.jobs.every(FORGET_EVERY_S, "identity: forget changes of address", email_changes.forget_old)
    context.jobs.every(FORGET_EVERY_S, "identity: forget invitations", staff.forget_old)
    people = Administration(database, sessions, context.policy, clock)
    administration.allow(context.policy)
    context.policy.allow("account.security", *ACCOUNTS, "enrolling", relation="self")
    context.routes.append(build_administration_routes(people))
    context.jobs.every(administration.LOOK_EVERY_S, "identity: end sessions in lost roles", people.look_again)
    acting.allow(context.policy)
    family = Family(database, context.vault, context.policy, clock, proxies, guard, settings)
    context.routes.append(build_family_routes(family, proxies, directory))

    async def lapse() -> None:
        await proxies.lapse()

    async def grow_up() -> None:
        await proxies.grow_up()

    context.jobs.every(acting.LAPSE_EVERY_S, "identity: end authority that ran out", lapse)
    context.jobs.every(acting.GROW_UP_EVERY_S, "identity: end what parents may do", grow_up)
    subscribe(context.subscriptions)

    async def close() -> None:
        passwords.close()
        await sessions.close()

    context.stopping.append(close)
    personal = Personal(database, sessions, proxies, clock)
    return Identity(
        accounts=accounts,
        directory=directory,
        sign_in=sign_in,
        factors=factors,
        resetting=resetting,
        email_changes=email_changes,
        staff_invitations=staff,
        federation=federation,
        provider_accounts=outside,
        administration=people,
        personal=personal,
        proxies=proxies,
        family=family,
    )
