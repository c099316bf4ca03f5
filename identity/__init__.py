"""People: accounts, sign-in, profiles, practitioners, care relations."""

from __future__ import annotations

from dataclasses import dataclass

from core.context import Context
from core.security.master import MasterKey
from identity import administration
from identity.accounts import Accounts
from identity.administration import Administration
from identity.administration_routes import build_administration_routes
from identity.directory import Directory
from identity.passwords import Passwords
from identity.personal import Personal
from identity.ports import Emergencies, NoEmergencies
from identity.routes import build_routes
from identity.sessions import Attempts, Sessions
from identity.subscribers import subscribe


@dataclass(frozen=True, slots=True)
class Identity:
    accounts: Accounts
    directory: Directory
    administration: Administration
    personal: Personal


def setup(context: Context, emergencies: Emergencies | None = None) -> Identity:
    """``accounts.authenticate`` is what the HTTP and Socket.IO edges ask who a token stands for."""
    settings = context.settings
    master = MasterKey.parse(settings.security.master_key.get_secret_value())
    database = context.database("identity")
    passwords = Passwords(settings.security)
    sessions = Sessions(context.redis, master.derive("refresh tokens"), settings.security.refresh_token_s)
    accounts = Accounts(
        database=database,
        sessions=sessions,
        attempts=Attempts(context.redis),
        passwords=passwords,
        tokens=context.tokens,
        clock=context.clock,
        settings=settings,
        link_key=master.derive("email verification links"),
    )
    directory = Directory(database, context.vault, context.policy, context.clock, emergencies or NoEmergencies())
    context.policy.allow("patient.read", "patient", relation="self")
    context.policy.allow("patient.read", "practitioner", relation=("self", "care", "break_glass"))
    context.policy.allow("patient.read", "desk", "admin")
    context.policy.allow("people.list", "desk", "admin")
    context.routes.append(build_routes(accounts, directory, context.tokens, settings))
    people = Administration(database, sessions, context.policy, context.clock)
    administration.allow(context.policy)
    context.routes.append(build_administration_routes(people))
    context.jobs.every(administration.LOOK_EVERY_S, "identity: end sessions in lost roles", people.look_again)
    subscribe(context.subscriptions)

    async def close() -> None:
        passwords.close()

    context.stopping.append(close)
    return Identity(accounts, directory, people, Personal(database, sessions, context.clock))
