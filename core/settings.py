"""Typed settings from ``bedside.toml`` and the environment. Unknown keys are refused.

The environment wins over the file. A section's key is ``BEDSIDE_<SECTION>_<KEY>``, for example
``BEDSIDE_HTTP_PORT``. A secret may be given as a file: ``BEDSIDE_SECURITY_MASTER_KEY_FILE``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

PREFIX = "BEDSIDE_"
# Read by the launcher and the tests, not settings of the server.
NOT_SETTINGS = frozenset({"BEDSIDE_CONFIG", "BEDSIDE_TEST_PARTIAL", "BEDSIDE_TEST_MONGO", "BEDSIDE_NEW_PASSWORD"})


STAFF = frozenset({"practitioner", "desk", "admin", "auditor"})


class SettingsError(Exception):
    """The configuration can't be used; the message is one line a person can act on."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Http(Section):
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    public_url: str = ""  # empty: http(s)://host:port
    max_body_bytes: int = 1_048_576
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: list[str] = []


class Media(Section):
    host: str = "127.0.0.1"  # where the worker's UDP and TCP sockets bind
    address: str = "127.0.0.1"  # advertised to browsers in ICE candidates; several, best first, with commas between
    port: int = Field(8189, ge=0, le=65535)  # first worker; further workers take the next ones
    tcp: bool = True  # the TCP port of the same number too, for clients that can't send UDP (RFC 6544)
    workers: int = Field(0, ge=0, le=256)  # 0: one per core
    video_codecs: list[
        Literal["vp8", "h264", "vp9", "av1"]
    ] = []  # those allowed, best first; empty: the browser's order
    audio_red: bool = True  # sound with copies of earlier packets, where every receiver takes it
    certificate_max_age_s: int = Field(86_400, ge=60, le=14 * 86_400)  # a worker's; connections keep theirs
    path: Literal["auto", "native", "python"] = "auto"  # what forwards packets; auto: native where it is built
    zone: str = Field("", pattern=r"^[\w.-]*(/[\w.-]+)?$", max_length=64)  # "region" or "region/zone"
    drain_s: float = Field(8, ge=0, le=3600)  # after SIGTERM a worker has this long to hand its rooms over
    control_host: str = "127.0.0.1"
    control_address: str = ""  # where signaling reaches it, if that is not control_host
    metrics_port: int = Field(0, ge=0, le=65535)  # /metrics and /health of the first worker; 0: none
    control_secret: SecretStr = SecretStr("")
    turn_urls: list[str] = []
    turn_secret: SecretStr = SecretStr("")
    turn_peers: list[str] = []  # what the relay may reach: addresses or networks; empty: address
    turn_certificate: Path | None = None  # the relay's, where turn_urls has turns:
    turn_key: Path | None = None
    relay_only: bool = False  # pages use the relay alone, so that nobody's address is told to the media server
    relay_addresses: list[str] = []  # networks of the relays; if any, workers take media from nowhere else

    @field_validator("turn_peers", "relay_addresses")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for each in value:
            try:
                ip_network(each, strict=False)
            except ValueError:
                raise ValueError("addresses or networks are needed") from None
        return value

    @model_validator(mode="after")
    def _relay(self) -> Self:
        if self.relay_only and not self.turn_urls:
            raise ValueError("relay_only needs turn_urls")
        return self

    @property
    def ice_transport_policy(self) -> Literal["all", "relay"]:
        """RTCConfiguration's, for the pages."""
        return "relay" if self.relay_only else "all"

    @field_validator("address")
    @classmethod
    def _addresses(cls, value: str) -> str:
        for each in value.split(","):
            try:
                ip_address(each.strip())
            except ValueError:
                raise ValueError("IP addresses are needed, with commas between") from None
        return value

    @property
    def addresses(self) -> list[str]:
        """Those advertised to browsers, best first."""
        return [each.strip() for each in self.address.split(",")]


class Database(Section):
    # Administrator's address; modules sign in as their own roles on the same server.
    url: SecretStr = SecretStr("")
    pool_size: int = Field(6, ge=1, le=100)
    role_secret: SecretStr = SecretStr("")  # passwords of the modules' roles are derived from it


class Redis(Section):
    url: SecretStr = SecretStr("")


class Mongo(Section):
    url: SecretStr = SecretStr("")
    database: str = "bedside"


class Records(Section):
    store: Literal["postgres", "mongo"] = "postgres"


class Security(Section):
    master_key: SecretStr = SecretStr("")  # 32 bytes, base64; wraps every person's key
    access_token_s: int = 600
    refresh_token_s: int = Field(14 * 86400, ge=60)  # a patient's session ends when it was not used for this long …
    session_s: int = Field(90 * 86400, ge=60)  # … and this long after signing in, whatever happens
    staff_idle_s: int = Field(3600, ge=60)  # the same for everybody else (NIST SP 800-63B-4, 2.2.3: an hour, a day)
    staff_session_s: int = Field(12 * 3600, ge=60)
    # Roles that need a second factor; unset: practitioners, desk, administrators and auditors in production, else none.
    second_factor_roles: list[str] | None = None
    argon2_memory_kib: int = 19456  # OWASP's minimum for Argon2id with t=2, p=1
    argon2_time: int = 2


class Provider(Section):
    """A sign-in provider (OpenID Connect). It is asked only because an operator wrote it down here."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")  # in addresses
    name: str = Field(min_length=1, max_length=60)  # on the button
    issuer: str
    client_id: str = Field(min_length=1)
    client_secret: SecretStr = SecretStr("")
    client_secret_file: Path | None = None
    allow_http: bool = False  # for tests: refused in production

    @model_validator(mode="after")
    def _secure(self) -> Self:
        if not self.issuer.startswith("https://") and not (self.allow_http and self.issuer.startswith("http://")):
            raise ValueError("the issuer's address must begin with https://")
        return self

    @property
    def secret(self) -> str:
        if self.client_secret_file is not None:
            return self.client_secret_file.read_text(encoding="utf-8").strip()
        return self.client_secret.get_secret_value()


class Oidc(Section):
    providers: list[Provider] = []  # [[oidc.providers]] in the file

    @model_validator(mode="after")
    def _names(self) -> Self:
        if len({each.id for each in self.providers}) < len(self.providers):
            raise ValueError("two providers have the same id")
        return self


class Limits(Section):
    """Requests per window; raise them for load tests."""

    per_address_per_minute: int = 600
    per_person_per_minute: int = 600
    login_per_address_per_minute: int = 20
    login_per_account_per_minute: int = 10
    wrong_per_address: int = Field(20, ge=1)  # passwords, codes, passkeys; each further try waits twice as long
    token_per_minute: int = 12  # readings with one token in an address, such as a calendar feed's
    socket_events_per_second: int = 30


class Mail(Section):
    host: str = "127.0.0.1"
    port: int = 1025
    sender: str = "Bedside <no-reply@bedside.invalid>"
    starttls: bool = False
    username: str = ""
    password: SecretStr = SecretStr("")


class Visit(Section):
    opens_before_s: int = 30 * 60  # a visit's window opens this long before its start
    closes_after_s: int = 60 * 60  # and closes this long after its end
    seat_grace_s: int = 60  # a seat without a connection is kept this long
    waiting_grace_s: int = Field(10 * 60, ge=1)  # and a place in the waiting room this long
    countries: tuple[str, ...] = ("SN",)  # where practitioners are licensed unless written down otherwise (ISO 3166-1)
    emergency_numbers: dict[str, str] = Field(default_factory=dict)  # by country, where ours are not right
    interpreter_offer_s: int = Field(60, ge=5, le=600)  # how long each interpreter has to answer


class Scheduling(Section):
    hold_s: int = Field(5 * 60, ge=30, le=3600)  # how long a slot is held while its patient pays
    holds_per_person: int = Field(3, ge=1, le=20)
    offer_s: int = Field(15 * 60, ge=60, le=86400)  # how long somebody of the waitlist has to answer
    cancel_free_s: int = Field(24 * 3600, ge=0)  # a patient owes nothing when cancelling this long before the start …
    cancel_regret_s: int = Field(30 * 60, ge=0)  # … or this soon after booking, before the start
    drop_in_s: int = Field(4 * 3600, ge=60)  # a drop-in that nobody took waits no longer


class Calendars(Section):
    """Outside calendars are read over HTTPS from public addresses alone; what widens that is for tests."""

    allow_http: bool = False
    allow_private: bool = False  # refused in production


class Privacy(Section):
    break_glass_s: int = Field(3600, ge=60, le=86400)  # how long an emergency access to a record lasts
    export_s: int = Field(7 * 86400, ge=60)  # how long a person's copy waits to be downloaded
    erasure_grace_s: int = Field(3 * 86400, ge=0)  # how long a confirmed erasure can still be withdrawn
    # What the law keeps after an erasure, in years since the newest of its kind; 0 keeps nothing.
    retention_years: dict[str, int] = Field(default_factory=lambda: {"records": 10, "invoices": 10})
    audit_years: int = Field(0, ge=0, le=100)  # audit rows older than this move into archives; 0: kept for good
    audit_archive: Path | None = None  # the folder of those archives; unset: audit-archive in data_dir
    # Kinds that stand as long as nobody has said no; unset: care by video in the demonstration, else none.
    consents_presumed: list[Literal["telehealth"]] | None = None
    region: str = Field("", pattern=r"^[a-z0-9-]*$", max_length=40)  # where data may be stored; empty: anywhere
    stores_region: dict[str, str] = Field(default_factory=dict)  # of database, redis, mongo, files: where they are

    @field_validator("retention_years")
    @classmethod
    def _years(cls, value: dict[str, int]) -> dict[str, int]:
        if unknown := set(value) - {"records", "invoices"}:
            raise ValueError(f"only records and invoices have a retention, not {sorted(unknown)[0]}")
        if any(not 0 <= years <= 100 for years in value.values()):
            raise ValueError("0 to 100 years")
        return value


class Family(Section):
    of_age: int = Field(18, ge=12, le=30)  # at this age a parent's authority ends …
    of_age_by_country: dict[str, int] = Field(default_factory=dict)  # … unless the country (ISO 3166-1) has another
    invitation_s: int = Field(14 * 86400, ge=60)  # how long somebody who is asked to act for another may answer
    dependants: int = Field(12, ge=1, le=100)  # people without an account whom one person may add

    @field_validator("of_age_by_country")
    @classmethod
    def _ages(cls, value: dict[str, int]) -> dict[str, int]:
        for country, age in value.items():
            if len(country) != 2 or not country.isalpha() or not country.isupper() or not 12 <= age <= 30:
                raise ValueError("two capital letters and 12 to 30 years are needed")
        return value


class Settings(Section):
    mode: Literal["demo", "development", "production"] = "development"
    data_dir: Path = Path("var")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    http: Http = Http()
    media: Media = Media()
    database: Database = Database()
    redis: Redis = Redis()
    mongo: Mongo = Mongo()
    records: Records = Records()
    security: Security = Security()
    limits: Limits = Limits()
    oidc: Oidc = Oidc()
    mail: Mail = Mail()
    visit: Visit = Visit()
    scheduling: Scheduling = Scheduling()
    calendars: Calendars = Calendars()
    privacy: Privacy = Privacy()
    family: Family = Family()

    def needs_second_factor(self, role: str) -> bool:
        chosen = self.security.second_factor_roles
        if chosen is None:
            return self.mode == "production" and role in STAFF
        return role in chosen

    @property
    def presumed_consents(self) -> frozenset[str]:
        chosen = self.privacy.consents_presumed
        if chosen is None:
            return frozenset({"telehealth"}) if self.mode == "demo" else frozenset()
        return frozenset(chosen)

    @property
    def public_url(self) -> str:
        """Where people reach the pages, without a trailing slash."""
        if self.http.public_url:
            return self.http.public_url.rstrip("/")
        scheme = "https" if self.http.tls_certificate else "http"
        return f"{scheme}://{self.http.host}:{self.http.port}"


SECTIONS: dict[str, Any] = {name: field.annotation for name, field in Settings.model_fields.items()}


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the file (if any), then the environment over it. Raises SettingsError on anything unknown or wrong."""
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SettingsError(f"configuration file {path} does not exist") from None
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path}: {error}") from None
    for key, raw in sorted(environ.items()):
        if key.startswith(PREFIX) and key not in NOT_SETTINGS:
            _place(values, key, raw)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"setting {where}: {first['msg']}") from None
    if settings.mode == "production" and any(each.allow_http for each in settings.oidc.providers):
        raise SettingsError("setting oidc.providers: allow_http is for tests")
    if settings.mode == "production" and settings.calendars.allow_private:
        raise SettingsError("setting calendars.allow_private: it opens this network to whoever adds a calendar")
    if settings.mode == "production":
        _check_production(settings)
    _check_residency(settings)
    return settings


SHORTEST_SECRET = 16
# Words that stand in examples and first tries.
DEVELOPMENT = ("changeme", "change-me", "secret", "development", "example", "test", "demo", "password")


def _check_production(settings: Settings) -> None:
    """A secret that was given has to be one: long, of many signs, and no word of an example."""
    secrets = {
        "security.master_key": settings.security.master_key,
        "database.role_secret": settings.database.role_secret,
        "media.control_secret": settings.media.control_secret,
        "media.turn_secret": settings.media.turn_secret,
    }
    given = {name: secret.get_secret_value() for name, secret in secrets.items() if secret.get_secret_value()}
    for name, value in given.items():
        lower = value.lower()
        weak = len(value) < SHORTEST_SECRET or len(set(value)) < SHORTEST_SECRET // 2
        if weak or any(lower.startswith(word) or lower.endswith(word) for word in DEVELOPMENT):
            raise SettingsError(
                f"setting {name}: production mode needs a secret made at random, not one of development"
            )
    if len(set(given.values())) != len(given):
        raise SettingsError(f"setting {min(given)}: production mode needs another secret for each purpose")
    if settings.http.public_url.startswith("http:"):
        raise SettingsError("setting http.public_url: production mode needs https")


def _check_residency(settings: Settings) -> None:
    """Where a region is set, every store in use has to say that it is there."""
    privacy = settings.privacy
    if not privacy.region:
        return
    used = ["database", "redis", "files", *(["mongo"] if settings.records.store == "mongo" else [])]
    for store in used:
        said = privacy.stores_region.get(store, "")
        if said != privacy.region:
            raise SettingsError(
                f"setting privacy.stores_region: {store} is {f'in {said}' if said else 'nowhere'}, "
                f"and data may be stored in {privacy.region} only"
            )
    zone = settings.media.zone.partition("/")[0]
    if zone and zone != privacy.region:
        raise SettingsError(f"setting media.zone: {zone} is not {privacy.region}")


def _place(values: dict[str, Any], key: str, raw: str) -> None:
    name = key.removeprefix(PREFIX).lower()
    if name.endswith("_file"):
        name = name.removesuffix("_file")
        try:
            raw = Path(raw).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"{key}: {error.strerror}") from None
    section, _, field = name.partition("_")
    model = SECTIONS.get(section)
    if isinstance(model, type) and issubclass(model, Section) and field in model.model_fields:
        annotation = str(model.model_fields[field].annotation)
        parts = [part.strip() for part in raw.split(",") if part.strip()]
        value: Any = raw
        if annotation.startswith("dict"):
            value = {name.strip(): each.strip() for name, _, each in (part.partition("=") for part in parts)}
        elif "list" in annotation:
            value = parts
        values.setdefault(section, {})[field] = value
    elif name in SECTIONS and not (isinstance(SECTIONS[name], type) and issubclass(SECTIONS[name], Section)):
        values[name] = raw
    else:
        raise SettingsError(f"unknown setting {key}")
