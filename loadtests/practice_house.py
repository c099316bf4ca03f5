"""A large practice for load tests: engines of its own, server processes by role, practitioners and patients."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg

from compliance.consent_texts import newest, text_of
from core.bus import RedisBus
from core.ids import uuid7
from core.migrations import migrate
from core.security.master import MasterKey
from core.settings import Settings, load
from identity.sessions import Sessions
from loadtests.demonstration import LIMITS, PLENTY, ROOT, LoadTestError
from server.embedded import EmbeddedPostgres, EmbeddedValkey
from server.modules import WITH_SCHEMA

SPECIALTIES = ("general-practice", "dermatology", "pediatrics", "cardiology", "psychiatry", "gynecology", "nutrition")
NAMES = ("Awa", "Moussa", "Claire", "Khady", "Jean", "Inés", "Omar", "Fatou", "Paul", "Aminata", "Yves", "Rama")
SLOT_MINUTES = 30
FIRST_HOUR, LAST_HOUR = 6, 22
READY_S = 60.0
# Behind the processes that answer people.
WORKER_NICE = 10


class House:
    """A context manager: everything in a temporary folder, gone afterwards. Schedules are UTC, 06:00 to 22:00."""

    def __init__(
        self,
        practitioners: int,
        patients: int,
        *,
        api: int = 1,
        workers: int = 1,
        split: bool = True,
        statements: bool = False,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bedside-practice-"))
        secret = secrets.token_hex(16)
        options = (
            {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"} if statements else {}
        )
        self.postgres = EmbeddedPostgres(self.folder, role_secret=secret, options=options)
        self._statements = statements
        self.valkey = EmbeddedValkey(self.folder)
        self.practitioners = [uuid7() for _ in range(practitioners)]
        self.patients = [uuid7() for _ in range(patients)]
        self.ports: list[int] = []
        self._api, self._workers, self._split = api, workers, split
        self._started: list[tuple[list[str], int, int]] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._names: list[str] = []
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BEDSIDE_")},
            **LIMITS,
            "BEDSIDE_LIMITS_PER_PERSON_PER_MINUTE": PLENTY,
            "BEDSIDE_DATA_DIR": str(self.folder),
            "BEDSIDE_MODE": "development",
            "BEDSIDE_LOG_LEVEL": "warning",
            "BEDSIDE_DATABASE_URL": self.postgres.url,
            "BEDSIDE_DATABASE_ROLE_SECRET": secret,
            "BEDSIDE_REDIS_URL": self.valkey.url,
            "BEDSIDE_SECURITY_MASTER_KEY": MasterKey.generate(),
            "BEDSIDE_MEDIA_CONTROL_SECRET": secrets.token_hex(16),
        }

    @property
    def settings(self) -> Settings:
        return load(environ={name: value for name, value in self.environment.items() if name.startswith("BEDSIDE_")})

    async def __aenter__(self) -> House:
        await self.postgres.start()
        await self.valkey.start()
        await migrate(self.postgres.url, WITH_SCHEMA, self.environment["BEDSIDE_DATABASE_ROLE_SECRET"])
        await self._people()
        for number in range(self._api):
            roles = ["gateway", "api", "signaling"] + ([] if self._split or number else ["worker"])
            self.ports.append(self._serve(roles))
        for _ in range(self._workers if self._split else 0):
            self._serve(["worker"], nice=WORKER_NICE)
        for port in self.ports:
            await self._ready(port)
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
        await self.valkey.stop()
        await self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    def cpu_s(self) -> dict[str, float]:
        """Processor time spent so far, by part; PostgreSQL with its backends that still run."""
        found = {"load": _cpu_of(os.getpid())}
        for process, name in zip(self._processes, self._names, strict=True):
            found[name] = found.get(name, 0.0) + _cpu_of(process.pid)
        if self.valkey.pid is not None:
            found["valkey"] = _cpu_of(self.valkey.pid)
        if self.postgres.pid is not None:
            children = Path(f"/proc/{self.postgres.pid}/task/{self.postgres.pid}/children").read_text().split()
            found["postgres"] = sum(_cpu_of(int(pid)) for pid in (str(self.postgres.pid), *children))
        return found

    def start_again(self, number: int) -> None:
        """Start the number-th process anew, at its old address, when it has died."""
        self._processes[number].wait()
        roles, nice, port = self._started[number]
        self._processes[number] = self._spawn(roles, nice, port)

    def _serve(self, roles: list[str], nice: int = 0) -> int:
        port = _free_port()
        self._started.append((roles, nice, port))
        self._names.append("worker" if roles == ["worker"] else "api")
        self._processes.append(self._spawn(roles, nice, port))
        return port

    def _spawn(self, roles: list[str], nice: int, port: int) -> subprocess.Popen[bytes]:
        environment = {**self.environment, "BEDSIDE_HTTP_PORT": str(port)}
        command = [sys.executable, "-m", "server", "serve", *(part for role in roles for part in ("--role", role))]
        log = self.folder / "logs" / f"{'-'.join(roles)}-{port}.log"
        with log.open("ab") as out:
            return subprocess.Popen(
                ["nice", "-n", str(nice), *command] if nice else command,
                cwd=ROOT,
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    async def _ready(self, port: int) -> None:
        deadline = asyncio.get_running_loop().time() + READY_S
        while asyncio.get_running_loop().time() < deadline:
            try:
                await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/health/live", None, 2)
                return
            except (urllib.error.URLError, OSError):
                await asyncio.sleep(0.1)
        raise LoadTestError(f"the server did not become ready: see {self.folder}/logs")

    async def _people(self) -> None:
        """Practitioners with schedules, patients; written as rows, since nobody signs in by password here."""
        connection = await asyncpg.connect(self.postgres.url)
        now = datetime.now(UTC)
        try:
            people = [
                (each, f"d{n}@load.invalid", f"{NAMES[n % len(NAMES)]} Doctor {n}", ["practitioner"], "UTC", now)
                for n, each in enumerate(self.practitioners)
            ]
            people += [
                (each, f"p{n}@load.invalid", f"{NAMES[n % len(NAMES)]} Patient {n}", ["patient"], "UTC", now)
                for n, each in enumerate(self.patients)
            ]
            await connection.executemany(
                "INSERT INTO identity.people (id, email, email_key, name, roles, language, time_zone, password_hash, "
                "verified_at, created_at) VALUES ($1, $2, $2, $3, $4, 'en', $5, '', $6, $6)",
                people,
            )
            await connection.executemany(
                "INSERT INTO identity.practitioners (person_id, title, specialties, languages, licence_number, "
                "licence_verified_at, fee_minor, currency, location, about, published, lat, lon, insurers) "
                "VALUES ($1, 'Dr', $2, $3, 'L', $4, $5, 'XOF', 'Dakar', '', true, $6, $7, $8)",
                [
                    (
                        each,
                        [SPECIALTIES[n % len(SPECIALTIES)]],
                        ["fr", "en"] if n % 3 else ["fr", "wo"],
                        now,
                        5000 + n % 20 * 500,
                        14.7 + n % 50 * 0.01,
                        -17.4 + n % 40 * 0.01,
                        ["ipm"] if n % 2 else ["ipm", "axa"],
                    )
                    for n, each in enumerate(self.practitioners)
                ],
            )
            rules = [
                {"weekday": day, "start": FIRST_HOUR * 60, "end": LAST_HOUR * 60, "location": ""} for day in range(7)
            ]
            await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=_json, decoder=_json)
            await connection.executemany(
                "INSERT INTO scheduling.schedules (practitioner_id, time_zone, slot_minutes, buffer_minutes, "
                "notice_minutes, horizon_days, rules, updated_at) VALUES ($1, 'UTC', $2, 0, 0, 90, $3, $4)",
                [(each, SLOT_MINUTES, rules, now) for each in self.practitioners],
            )
            agreed = text_of("telehealth", newest("telehealth"), "en")
            assert agreed is not None
            await connection.executemany(
                "INSERT INTO compliance.consents (id, person_id, kind, given, version, language, text_digest, said_by, "
                "said_as, how, said_at) VALUES ($1, $2, 'telehealth', true, $3, 'en', $4, $2, 'patient', 'page', $5)",
                [(uuid7(), each, agreed.version, agreed.digest, now) for each in self.patients],
            )
            # What was filled past the server. The other tables are as a new installation has them.
            await connection.execute("ANALYZE identity.people, identity.practitioners, scheduling.schedules")
            if self._statements:
                await connection.execute("CREATE EXTENSION pg_stat_statements")
        finally:
            await connection.close()

    def slot(self, number: int) -> tuple[UUID, datetime]:
        """The number-th slot from tomorrow on, spread over all practitioners."""
        practitioner = self.practitioners[number % len(self.practitioners)]
        step = number // len(self.practitioners)
        a_day = (LAST_HOUR - FIRST_HOUR) * 60 // SLOT_MINUTES
        day = datetime.now(UTC).date() + timedelta(days=1 + step // a_day)
        return practitioner, at(day) + timedelta(minutes=SLOT_MINUTES * (step % a_day))

    async def sign_in(self) -> list[str]:
        """An access token for each patient, with a session that lives."""
        from server.serving import open_context

        settings = self.settings
        tokens: list[str] = []
        async with open_context(settings) as context:
            master = MasterKey.parse(settings.security.master_key.get_secret_value())
            sessions = Sessions(context.redis, master.derive("refresh tokens"), settings.security)
            for number, each in enumerate(self.patients):
                now = datetime.now(UTC)
                session, _ = await sessions.open(each, "patient", "native", "load", {"pwd"}, now)
                claims = {"session": session.id, "role": "patient", "roles": ["patient"], "name": f"Patient {number}"}
                claims |= {"auth_time": int(now.timestamp()), "amr": ["pwd"]}
                tokens.append(context.tokens.issue("access", each, timedelta(hours=2), **claims))
        return tokens

    async def outstanding(self) -> tuple[int, float]:
        """Facts not yet handled by everybody, and the age in seconds of the oldest that has not left the outbox."""
        connection = await asyncpg.connect(self.postgres.url)
        bus = RedisBus(self.valkey.url)
        try:
            row = await connection.fetchrow(
                "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(occurred_at)), 0)::float8 "
                "FROM core.outbox WHERE published_at IS NULL"
            )
            assert row is not None
            return int(row[0]) + sum((await bus.waiting()).values()), float(row[1])
        finally:
            await connection.close()
            await bus.close()

    async def statements(self) -> list[str]:
        """Which statements took the database's time, most first; nothing unless asked for at the start."""
        if not self._statements:
            return []
        connection = await asyncpg.connect(self.postgres.url)
        try:
            rows = await connection.fetch(
                "SELECT calls, total_exec_time AS ms, mean_exec_time AS mean, "
                "regexp_replace(query, '\\s+', ' ', 'g') AS q "
                "FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 30"
            )
            return [f"{row['ms']:9.0f} ms {row['calls']:7} × {row['mean']:.3f}  {row['q'][:170]}" for row in rows]
        finally:
            await connection.close()

    async def counts(self) -> dict[str, int]:
        """What the handlers have made of the bookings."""
        connection = await asyncpg.connect(self.postgres.url)
        try:
            row = await connection.fetchrow(
                "SELECT (SELECT count(*) FROM scheduling.appointments) AS appointments, "
                "(SELECT count(*) FROM identity.care_relations) AS care, "
                "(SELECT count(*) FROM billing.invoices) AS invoices, "
                "(SELECT count(*) FROM notifications.notices) AS notices"
            )
            assert row is not None
            return dict(row)
        finally:
            await connection.close()


def _cpu_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def at(day: date) -> datetime:
    """The first slot of a day."""
    return datetime.combine(day, time(FIRST_HOUR), UTC)


def _json(value: object) -> object:
    import json

    return json.loads(value) if isinstance(value, str | bytes) else json.dumps(value)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
