"""What the administrator configured: services, access rights and information systems, and where it is kept.

A :class:`Configuration` is a snapshot that never changes, so one message is judged by one configuration from its
beginning to its end. A :class:`ConfigurationStore` reads snapshots from the database and replaces what is there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from sqlalchemy import Connection, Engine, delete, insert, select, update

from estamp.identifiers import ClientId, ServiceId
from gateway import tables
from gateway.errors import ConfigurationError
from service_runtime.database import reading

RESERVED_SERVICE_CODES = frozenset(
    {
        "listClients",
        "listMethods",
        "allowedMethods",
        "getWsdl",
        "getOpenAPI",
        "getSecurityServerMetrics",
        "getSecurityServerOperationalData",
        "getSecurityServerHealthData",
    }
)
"""Service codes that mean something to every X-Road gateway, and that no service may have."""

ANY_SUBSYSTEM = "/*"


@dataclass(frozen=True, slots=True)
class Service:
    """A service that this gateway offers: where it lives, and who may call it.

    ``base_url`` has no slash at its end; ``timeout_seconds`` bounds one whole call; ``allowed`` are the subsystems
    with an access right, nobody else has one.
    """

    id: ServiceId
    base_url: str
    timeout_seconds: float = 30.0
    title: str = ""
    type: str = "REST"
    allowed: frozenset[ClientId] = frozenset()


@dataclass(frozen=True, slots=True)
class InformationSystem:
    """A member's system that calls over mTLS with ``certificate`` (DER), whose SHA-256 (hex) is ``fingerprint``.

    ``clients`` says for whom it may speak: client identifiers, or ``instance/class/member/*`` for every subsystem of
    a member.
    """

    fingerprint: str
    certificate: bytes = field(repr=False)
    title: str
    clients: frozenset[str]

    def may_speak_for(self, client: ClientId) -> bool:
        """Whether this system may name `client` in ``X-Road-Client``."""
        if str(client) in self.clients:
            return True
        return client.subsystem_code is not None and f"{client.member}{ANY_SUBSYSTEM}" in self.clients


@dataclass(frozen=True)
class Configuration:
    """One state of the configuration; ``revision`` grows with every change (0: nothing was ever applied)."""

    services: Mapping[ServiceId, Service]
    information_systems: Mapping[str, InformationSystem]
    revision: int = 0

    @classmethod
    def of(
        cls, services: Iterable[Service], information_systems: Iterable[InformationSystem], revision: int = 0
    ) -> "Configuration":
        """A configuration from its parts."""
        return cls(
            MappingProxyType({each.id: each for each in services}),
            MappingProxyType({each.fingerprint: each for each in information_systems}),
            revision,
        )

    def service(self, service: ServiceId) -> Service | None:
        """The service of this identifier, if this gateway offers it."""
        return self.services.get(service)

    def services_of(self, provider: ClientId) -> tuple[Service, ...]:
        """What a subsystem offers, by service code."""
        return self._by_provider.get(provider, ())

    def may_call(self, client: ClientId, service: ServiceId) -> bool:
        """Whether `client` has an access right to `service`."""
        found = self.services.get(service)
        return found is not None and client in found.allowed

    def may_speak_for(self, fingerprint: str, client: ClientId) -> bool:
        """Whether the information system with this certificate is registered and may name `client`."""
        found = self.information_systems.get(fingerprint)
        return found is not None and found.may_speak_for(client)

    @cached_property
    def _by_provider(self) -> dict[ClientId, tuple[Service, ...]]:
        found: dict[ClientId, tuple[Service, ...]] = {}
        for service_id in sorted(self.services):
            found[service_id.provider] = (*found.get(service_id.provider, ()), self.services[service_id])
        return found


class ConfigurationStore:
    """The configuration in the database of `engine`, whose schema is there already.

    All methods block; an event loop calls them in a thread, except :attr:`current`. They raise what SQLAlchemy raises
    when the database fails.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._current: Configuration | None = None

    @property
    def current(self) -> Configuration:
        """The snapshot that was read last; :meth:`refresh` brings a newer one. Reads the first one by itself."""
        if self._current is None:
            self._current = self.load()
        return self._current

    def refresh(self) -> bool:
        """Read the configuration anew if it has changed; whether it had."""
        if self._current is not None and self.revision() == self._current.revision:
            return False
        self._current = self.load()
        return True

    def revision(self) -> int:
        """The number of the newest revision: one row read."""
        with reading(self._engine).connect() as connection:
            return _revision(connection)

    def load(self) -> Configuration:
        """Read the whole configuration, as of one moment."""
        with reading(self._engine).connect() as connection:
            while True:
                found = _read(connection)
                # On PostgreSQL each query sees the newest state, so a change may have come in between.
                if _revision(connection) == found.revision:
                    return found

    def replace(self, wanted: Configuration, *, instead_of: Configuration) -> int:
        """Make `wanted` (whatever its revision) the configuration; returns the new revision.

        Raises ConfigurationError (``configuration-changed``) when the database no longer holds `instead_of`, which
        the caller has compared with: what was shown must be what is done.
        """
        with self._engine.begin() as connection:
            # The write comes first: it makes others wait, also where reading alone would not.
            new = instead_of.revision + 1
            revisions = tables.configuration_revision
            changed = connection.execute(
                update(revisions).where(revisions.c.revision == instead_of.revision).values(revision=new)
            )
            if changed.rowcount != 1:
                raise ConfigurationError(
                    "configuration-changed",
                    "Somebody else changed the configuration at the same time, so nothing was changed now.",
                    "Look at it with: xacbe gateway export, then apply the file again.",
                )
            _write(connection, wanted)
        return new


def _revision(connection: Connection) -> int:
    return int(connection.execute(select(tables.configuration_revision.c.revision)).scalar_one())


def _read(connection: Connection) -> Configuration:
    revision = _revision(connection)
    allowed: dict[int, set[ClientId]] = {}
    for number, subject in connection.execute(select(tables.access_right.c.service_id, tables.access_right.c.subject)):
        allowed.setdefault(number, set()).add(ClientId.parse(subject))
    services = [
        Service(
            id=service_id(ClientId.parse(row.subsystem), row.code),
            base_url=row.base_url,
            timeout_seconds=row.timeout_seconds,
            title=row.title,
            type=row.type,
            allowed=frozenset(allowed.get(row.id, ())),
        )
        for row in connection.execute(select(tables.service))
    ]
    clients: dict[str, set[str]] = {}
    for fingerprint, pattern in connection.execute(select(tables.information_system_client)):
        clients.setdefault(fingerprint, set()).add(pattern)
    systems = [
        InformationSystem(row.fingerprint, row.certificate, row.title, frozenset(clients.get(row.fingerprint, ())))
        for row in connection.execute(select(tables.information_system))
    ]
    return Configuration.of(services, systems, revision)


def _write(connection: Connection, wanted: Configuration) -> None:
    connection.execute(delete(tables.service))
    connection.execute(delete(tables.information_system))
    for service in wanted.services.values():
        number = connection.execute(
            insert(tables.service)
            .values(
                subsystem=str(service.id.provider),
                code=service.id.service_code,
                type=service.type,
                title=service.title,
                base_url=service.base_url,
                timeout_seconds=service.timeout_seconds,
            )
            .returning(tables.service.c.id)
        ).scalar_one()
        rights = [{"service_id": number, "subject": str(subject)} for subject in service.allowed]
        if rights:
            connection.execute(insert(tables.access_right), rights)
    for system in wanted.information_systems.values():
        connection.execute(
            insert(tables.information_system).values(
                fingerprint=system.fingerprint, certificate=system.certificate, title=system.title
            )
        )
        patterns = [{"fingerprint": system.fingerprint, "pattern": pattern} for pattern in system.clients]
        if patterns:
            connection.execute(insert(tables.information_system_client), patterns)


def service_id(provider: ClientId, code: str) -> ServiceId:
    """The identifier of the service `code` of the subsystem `provider`."""
    assert provider.subsystem_code is not None
    return ServiceId(provider.instance, provider.member_class, provider.member_code, provider.subsystem_code, code)
