"""The authorities that the responder speaks for, each with the certificate and key delegated to it.

Everything that could make an answer worthless is found when the process starts, not when the first gateway refuses it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from estamp.certificates import (
    Kind,
    fingerprint,
    instance_of,
    key_fingerprint,
    kind_of,
    load_certificate,
    public_key_fingerprint,
    require_issued_by,
)
from estamp.errors import CertificateError
from estamp.status import issuer_hashes
from ocsp.errors import ResponderError, UnservedIssuerError
from ocsp.settings import IssuerSettings
from service_runtime.keys import PrivateKey, load_passphrase, load_private_key

CERT_ID_ALGORITHMS = ("sha1", "sha256")
"""The digests by which a request may name an issuer."""


@dataclass(frozen=True, slots=True)
class ServedIssuer:
    """One authority, and what answers about its certificates are signed with. `fingerprint` is the authority's."""

    authority: x509.Certificate
    fingerprint: str
    responder: x509.Certificate
    key: PrivateKey


class ServedIssuers:
    """The authorities by the digests with which requests name them."""

    def __init__(self, issuers: Sequence[ServedIssuer]) -> None:
        """Each authority is found by SHA-1 and by SHA-256; the digests are made here, once."""
        self._all = tuple(issuers)
        self._by_hashes: dict[tuple[str, bytes, bytes], ServedIssuer] = {}
        for issuer in issuers:
            for algorithm in CERT_ID_ALGORITHMS:
                hashes = issuer_hashes(issuer.authority, algorithm)
                self._by_hashes[algorithm, hashes.name, hashes.key] = issuer

    def __iter__(self) -> Iterator[ServedIssuer]:
        """The authorities in the settings' order."""
        return iter(self._all)

    def find(self, algorithm: str, name_hash: bytes, key_hash: bytes) -> ServedIssuer:
        """The authority that a request names; raises UnservedIssuerError."""
        try:
            return self._by_hashes[algorithm, name_hash, key_hash]
        except KeyError:
            raise UnservedIssuerError(
                "ocsp-issuer-not-served", "The request is about an issuer that this responder does not speak for."
            ) from None


def load_issuers(settings: Sequence[IssuerSettings], instance: str, now: datetime) -> ServedIssuers:
    """Load and check every authority of the settings.

    Raises ResponderError `ocsp-certificate-unreadable`, `ocsp-certificate-wrong-kind` (extended key usage, nocheck, key
    usage, name), `ocsp-certificate-not-delegated`, `ocsp-other-instance`, `ocsp-key-mismatch` or
    `ocsp-certificate-not-valid`; KeyFileError as `load_private_key` does.
    """
    return ServedIssuers([_load_issuer(each, instance, now) for each in settings])


def _load_issuer(settings: IssuerSettings, instance: str, now: datetime) -> ServedIssuer:
    authority = _read_certificate(settings.certificate)
    responder = _read_certificate(settings.responder_certificate)
    file = settings.responder_certificate
    try:
        kind = kind_of(responder)
        named = instance_of(responder)
    except CertificateError as error:
        raise _wrong_kind(file, error.message) from error
    if kind is not Kind.OCSP:
        raise _wrong_kind(file, f"It is a {kind} certificate.")
    try:
        require_issued_by(responder, authority)
    except CertificateError as error:
        raise ResponderError(
            "ocsp-certificate-not-delegated",
            f"{settings.certificate} did not issue the responder certificate {file}. {error.message}",
            "Configure each authority with the responder certificate that it issued itself.",
        ) from error
    if named != instance:
        raise ResponderError(
            "ocsp-other-instance",
            f"{file} belongs to the instance {named!r}, the trust anchor to {instance!r}.",
            "Use the trust anchor and the certificates of one instance.",
        )
    if not responder.not_valid_before_utc <= now <= responder.not_valid_after_utc:
        raise ResponderError(
            "ocsp-certificate-not-valid",
            f"{file} is valid from {responder.not_valid_before_utc} to {responder.not_valid_after_utc}, not now.",
            "Ask the registry for a new responder certificate, or correct this machine's clock.",
        )
    key = load_private_key(settings.key, load_passphrase(settings.passphrase_file, settings.passphrase_variable))
    if public_key_fingerprint(key.public_key()) != key_fingerprint(responder):
        raise ResponderError(
            "ocsp-key-mismatch",
            f"The key in {settings.key} does not belong to the certificate in {file}.",
            "Configure the key for which that certificate was issued.",
        )
    return ServedIssuer(authority, fingerprint(authority), responder, key)


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return load_certificate(path.read_bytes())
    except OSError as error:
        raise ResponderError(
            "ocsp-certificate-unreadable",
            f"{path} cannot be read: {error.strerror}.",
            "Check the path in the settings.",
        ) from error
    except CertificateError as error:
        raise ResponderError(
            "ocsp-certificate-unreadable", f"{path} cannot be used: {error.message}", "It must hold one certificate."
        ) from error


def _wrong_kind(path: Path, why: str) -> ResponderError:
    return ResponderError(
        "ocsp-certificate-wrong-kind",
        f"{path} is no certificate of a status responder. {why}",
        "Ask the registry for one: it states extended key usage OCSPSigning and id-pkix-ocsp-nocheck.",
    )
