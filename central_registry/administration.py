"""What the command line does with a registry: each of its commands as one call that ends in a commit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from central_registry.certificate_profiles import Issuer
from central_registry.certification import Order, issue
from central_registry.database import PACKAGE, database_url, open_database, open_registry_database
from central_registry.errors import CatalogueUnavailableError
from central_registry.models import Certificate, Member, Server
from central_registry.notice_board import Published
from central_registry.parties import find_member, find_server, require_instance
from central_registry.publication import load_published
from central_registry.registration import Change, apply_registration
from central_registry.registration_file import read_registration
from central_registry.revocation import revoke, suspend, unsuspend
from central_registry.settings import RegistrySettings
from central_registry.state_folder import StateFolder, load_anchor, read_certificate, read_key
from estamp.anchor import TrustAnchor
from estamp.certificates import fingerprint, load_certificate
from estamp.errors import EstampError
from estamp.identifiers import MemberId, ServerId
from service_runtime.database import migrate


@dataclass(frozen=True, slots=True)
class Administration:
    """An initialised registry, its database open; see `open_administration`."""

    settings: RegistrySettings
    anchor: TrustAnchor
    engine: Engine

    def apply(self, file: Path, *, prune: bool, dry_run: bool) -> list[Change]:
        """Bring the database to what the registration file says; a dry run only tells. Raises RegistrationFileError."""
        registration = read_registration(file, self.settings.instance)
        with Session(self.engine) as session, session.begin() as transaction:
            changes = apply_registration(session, registration, file, datetime.now(UTC), prune=prune)
            if dry_run:
                transaction.rollback()
        return changes

    def issue(self, request: bytes, order: Order) -> x509.Certificate:
        """Issue a certificate for a signing request; it is on record, durably, when this returns.

        Raises CertificationError and UnknownPartyError.
        """
        for party in (order.server, order.member):
            if party is not None:
                require_instance(self.settings.instance, party)
        folder = StateFolder(self.settings.state).issuing_ca
        issuer = Issuer(read_certificate(folder / "certificate.pem"), read_key(folder, self.settings))
        with Session(self.engine) as session, session.begin():
            return issue(
                session,
                request,
                order,
                issuer,
                datetime.now(UTC),
                country=self.settings.country,
                status_address=self.settings.addresses.status_responders[0],
            )

    def issuing_ca(self) -> x509.Certificate:
        """The certificate of the issuing CA that `issue` signs with."""
        return read_certificate(StateFolder(self.settings.state).issuing_ca / "certificate.pem")

    def revoke(self, name: str, reason: str) -> tuple[Certificate, bool]:
        """Revoke by serial number, fingerprint or certificate file; whether it was still unrevoked is told beside it.

        Raises RevocationError.
        """
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            return revoke(session, _certificate_name(name), reason, datetime.now(UTC))

    def suspend(self, party: MemberId | ServerId, reason: str) -> bool:
        """Suspend a member or server; False when it was already. Raises UnknownPartyError."""
        with Session(self.engine) as session, session.begin():
            return suspend(session, self._find(session, party), str(party), reason, datetime.now(UTC))

    def unsuspend(self, party: MemberId | ServerId) -> bool:
        """End a suspension; False when there was none. Raises UnknownPartyError."""
        with Session(self.engine) as session, session.begin():
            return unsuspend(session, self._find(session, party), str(party))

    def catalogue(self, version: int | None) -> Published:
        """A published catalogue, the newest by default; raises CatalogueUnavailableError."""
        published = load_published(self.engine, version)
        if published is None:
            raise CatalogueUnavailableError(
                "no-such-catalogue",
                "No catalogue was published yet." if version is None else f"There is no catalogue {version}.",
                "`xacbe registry serve` publishes one as soon as TSA and status responder run.",
            )
        return published

    def _find(self, session: Session, party: MemberId | ServerId) -> Member | Server:
        require_instance(self.settings.instance, party)
        return find_member(session, party) if isinstance(party, MemberId) else find_server(session, party)


@contextmanager
def open_administration(settings: RegistrySettings) -> Iterator[Administration]:
    """An initialised registry whose database is of the right version; raises StateError or DatabaseError."""
    anchor = load_anchor(settings)
    with open_registry_database(settings) as engine:
        yield Administration(settings, anchor, engine)


def migrate_database(settings: RegistrySettings) -> None:
    """Bring an initialised registry's database to this software's version; raises StateError or DatabaseError."""
    load_anchor(settings)
    with open_database(database_url(settings)) as engine:
        migrate(engine, PACKAGE)


_PEM_END = b"-----END CERTIFICATE-----"


def _certificate_name(name: str) -> str:
    """The fingerprint of a file's certificate, in a chain the first; any other name as it is."""
    path = Path(name)
    if not path.is_file():
        return name
    try:
        # The file that a gateway has installed holds the issuing CA's certificate too, after its own.
        first = path.read_bytes().partition(_PEM_END)
        return fingerprint(load_certificate(first[0] + first[1]))
    except EstampError:
        # A file that happens to be called like a serial number is no certificate.
        return name
