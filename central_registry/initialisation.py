"""`xacbe registry init`: every key and certificate of a new instance, its database and its trust anchor.

All of it is made in a folder beside its place and moved there at the end, so that an init that is interrupted leaves
nothing that could be taken for a registry.
"""

import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from central_registry.certificate_profiles import (
    Issuer,
    Operator,
    PrivateKey,
    make_issuing_ca,
    make_root,
    make_service_certificate,
)
from central_registry.certificate_records import ISSUING_CA, ROOT, record_certificate
from central_registry.database import PACKAGE, open_database
from central_registry.errors import StateError
from central_registry.models import Certificate, Revision
from central_registry.settings import RegistrySettings
from central_registry.state_folder import ENTRIES, StateFolder, key_passphrase
from central_registry.trust_service_addresses import set_addresses
from estamp.anchor import TrustAnchor
from estamp.certificates import Kind, key_fingerprint
from service_runtime.database import migrate
from service_runtime.keys import generate_key, write_atomically, write_private_key


@dataclass(frozen=True, slots=True)
class _Credential:
    certificate: x509.Certificate
    key: PrivateKey
    issuer: x509.Certificate
    kind: str


@dataclass(frozen=True, slots=True)
class _Credentials:
    root: _Credential
    issuing_ca: _Credential
    catalogue_signer: _Credential
    tls: _Credential
    tsa: _Credential
    ocsp: _Credential
    root_responder: _Credential

    def all(self) -> Sequence[_Credential]:
        return (
            self.root,
            self.issuing_ca,
            self.catalogue_signer,
            self.tls,
            self.tsa,
            self.ocsp,
            self.root_responder,
        )


def initialise(settings: RegistrySettings, now: datetime, *, root_passphrase: bytes | None) -> TrustAnchor:
    """Make a new registry in the settings' state folder and return its trust anchor.

    The root's key is encrypted when a passphrase is given, the others that stay here with the settings' own. Raises
    StateError (`registry-exists`, `state-folder-unusable`) with nothing changed, and what keys and database raise.
    """
    state = StateFolder(settings.state)
    _require_room(state)
    with _beside(state) as making:
        made = _make_credentials(settings, now)
        anchor = TrustAnchor.of(
            made.root.certificate,
            instance=settings.instance,
            signer_key=key_fingerprint(made.catalogue_signer.certificate),
            registry_addresses=settings.addresses.registry,
        )
        _write_files(making, made, anchor, root_passphrase, key_passphrase(settings))
        # Closing the last connection also folds SQLite's write-ahead log into the file that is moved then.
        with open_database(settings.database_url or making.database_url) as engine:
            migrate(engine, PACKAGE)
            _enter(engine, made, settings, now)
        for name in ENTRIES:
            if (making.folder / name).exists():
                (making.folder / name).rename(state.folder / name)
    return anchor


def _require_room(state: StateFolder) -> None:
    for name in ENTRIES:
        if (state.folder / name).exists():
            raise StateError(
                "registry-exists",
                f"{state.folder} holds {name} already, and keys and certificates are never overwritten.",
                "Name another folder with `state`, or move this one away if the instance is given up.",
            )


@contextmanager
def _beside(state: StateFolder) -> Iterator[StateFolder]:
    making = state.folder / f".making-{secrets.token_hex(4)}"
    try:
        state.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        making.mkdir(mode=0o700)
    except OSError as error:
        raise StateError(
            "state-folder-unusable",
            f"The folder {state.folder} cannot be written: {error.strerror}.",
            "Check `state` in the settings, and who owns that folder.",
        ) from error
    try:
        yield StateFolder(making)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _make_credentials(settings: RegistrySettings, now: datetime) -> _Credentials:
    operator = Operator(settings.country, settings.operator, settings.instance)
    status_address = settings.addresses.status_responders[0]
    root_key = generate_key(settings.keys.authorities)
    root = Issuer(make_root(operator, root_key, now), root_key)
    issuing_key = generate_key(settings.keys.authorities)
    issuing = Issuer(make_issuing_ca(operator, issuing_key.public_key(), root, now), issuing_key)

    def service(kind: Kind, issuer: Issuer, key: PrivateKey, host_names: Sequence[str] = ()) -> _Credential:
        certificate = make_service_certificate(
            kind, operator, key.public_key(), issuer, now, host_names=host_names, status_address=status_address
        )
        return _Credential(certificate, key, issuer.certificate, kind)

    hosts = dict.fromkeys(urlsplit(address).hostname or "" for address in settings.addresses.registry)
    return _Credentials(
        root=_Credential(root.certificate, root_key, root.certificate, ROOT),
        issuing_ca=_Credential(issuing.certificate, issuing_key, root.certificate, ISSUING_CA),
        # On P-256 whatever the settings say: the status feed is signed with no other kind of key.
        catalogue_signer=service(Kind.CATALOGUE_SIGNER, root, generate_key("ec-p256")),
        tls=service(Kind.REGISTRY, issuing, generate_key("ec-p256"), tuple(hosts)),
        tsa=service(Kind.TSA, issuing, generate_key(settings.keys.timestamp_authority)),
        ocsp=service(Kind.OCSP, issuing, generate_key(settings.keys.status_responder)),
        root_responder=service(Kind.OCSP, root, generate_key(settings.keys.status_responder)),
    )


def _write_files(
    state: StateFolder, made: _Credentials, anchor: TrustAnchor, root_passphrase: bytes | None, passphrase: bytes | None
) -> None:
    issuing, root = _pem(made.issuing_ca.certificate), _pem(made.root.certificate)
    _write(state.root, made.root, root_passphrase)
    _write(state.issuing_ca, made.issuing_ca, passphrase)
    _write(state.catalogue_signer, made.catalogue_signer, passphrase)
    _write(state.tls, made.tls, passphrase, chain=issuing)
    # These two travel to other processes, which have passphrases of their own, so they go without.
    tsa, ocsp = state.trust_services / "tsa", state.trust_services / "ocsp"
    state.trust_services.mkdir(mode=0o700)
    _write(tsa, made.tsa, None, chain=issuing)
    _write(ocsp, made.ocsp, None)
    write_private_key(ocsp / "root-responder-key.pem", made.root_responder.key)
    for name, data in (
        ("root-responder.pem", _pem(made.root_responder.certificate)),
        ("issuing-ca.pem", issuing),
        ("root.pem", root),
        ("anchor.json", anchor.dump()),
    ):
        write_atomically(ocsp / name, data)
    write_atomically(state.anchor, anchor.dump())


def _write(folder: Path, credential: _Credential, passphrase: bytes | None, *, chain: bytes | None = None) -> None:
    folder.mkdir(mode=0o700)
    write_private_key(folder / "key.pem", credential.key, passphrase)
    write_atomically(folder / "certificate.pem", _pem(credential.certificate))
    if chain is not None:
        write_atomically(folder / "chain.pem", _pem(credential.certificate) + chain)


def _enter(engine: Engine, made: _Credentials, settings: RegistrySettings, now: datetime) -> None:
    with Session(engine) as session, session.begin():
        if session.scalar(select(func.count()).select_from(Certificate)):
            raise StateError(
                "registry-exists",
                "The database that the settings name belongs to a registry already.",
                "Name another database with `database_url`, or the state folder that goes with this one.",
            )
        session.add(Revision(id=1, number=0))
        session.flush()
        for each in made.all():
            record_certificate(session, each.certificate, each.issuer, each.kind, now, key=each.key.public_key())
        session.flush()
        set_addresses(session, settings.addresses, now)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
