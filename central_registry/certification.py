"""Issuing certificates from signing requests.

From the request (PKCS #10) nothing is taken but its key, and that only after it has proven that the requester holds the
private half. Whom the certificate names comes from the administrator's order and what the registry knows.
"""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlalchemy import select
from sqlalchemy.orm import Session

from central_registry.certificate_profiles import (
    Issuer,
    PublicKey,
    make_authentication_certificate,
    make_signing_certificate,
)
from central_registry.certificate_records import certificates_of_key, record_certificate
from central_registry.changes import serialise
from central_registry.errors import CertificationError
from central_registry.models import ServerClient
from central_registry.parties import find_member, find_server
from central_registry.revocation import KEY_COMPROMISE
from estamp.certificates import Kind, authentication_uri, signing_uri
from estamp.identifiers import MemberId, ServerId

LARGEST_REQUEST = 64 * 1024
"""Bytes of a signing request that are looked at; a real one has one or two KiB."""

_SMALLEST_RSA_KEY, _LARGEST_RSA_KEY = 2048, 8192
_MAKE_A_KEY = "Make an ECDSA P-256 key (or RSA with 3072 bits) and a new request; `xacbe gateway init` makes both."


@dataclass(frozen=True, slots=True)
class Order:
    """What the administrator wants issued: an authentication certificate of `server`, or a signing one of `member`."""

    kind: Kind
    server: ServerId
    member: MemberId | None = None

    @property
    def holder(self) -> str:
        """The identity that the certificate will state."""
        if self.kind is Kind.SIGNING and self.member is not None:
            return signing_uri(self.member, self.server)
        return authentication_uri(self.server)


def make_order(kind: Kind, server: ServerId, member: MemberId | None) -> Order:
    """Check that kind and names go together; raises CertificationError (`order-incomplete`)."""
    if kind not in (Kind.SIGNING, Kind.AUTHENTICATION):
        raise CertificationError("order-incomplete", f"No {kind} certificate is issued from a request.")
    if kind is Kind.SIGNING and member is None:
        raise CertificationError(
            "order-incomplete", "A signing certificate names the member that seals.", "Name it with --member."
        )
    if kind is Kind.AUTHENTICATION and member is not None:
        raise CertificationError(
            "order-incomplete", "An authentication certificate names a server and no member.", "Leave --member out."
        )
    return Order(kind, server, member)


def read_request(data: bytes) -> PublicKey:
    """The key of a signing request (PEM or DER) whose signature proves possession of its private half.

    Raises CertificationError: `request-malformed`, `request-key-weak`, `request-signature-invalid`.
    """
    if len(data) > LARGEST_REQUEST:
        raise _malformed(f"it is larger than {LARGEST_REQUEST} bytes")
    try:
        load = x509.load_pem_x509_csr if b"-----BEGIN" in data else x509.load_der_x509_csr
        request = load(data)
        key = request.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _malformed("it is not PKCS #10 in PEM or DER form, or its key is of no known kind") from None
    believed = _require_strong(key)
    try:
        digest = request.signature_hash_algorithm
        holds = isinstance(digest, hashes.SHA256 | hashes.SHA384 | hashes.SHA512) and request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm):
        holds = False
    if not holds:
        raise CertificationError(
            "request-signature-invalid",
            "The signing request is not signed with its own key (SHA-256 or longer), so nothing proves that the "
            "requester holds it.",
            "Make the request anew where the key lies, and check that it was not changed on the way.",
        )
    return believed


def issue(
    session: Session,
    request: bytes,
    order: Order,
    issuer: Issuer,
    now: datetime,
    *,
    country: str,
    status_address: str | None,
) -> x509.Certificate:
    """Make the ordered certificate for the request's key and enter it in the database.

    The caller commits, and only then hands the certificate out: what was issued is always known. Raises
    CertificationError (also `request-key-unfit`, `party-suspended`, `member-not-hosted`, `key-already-certified`,
    `key-compromised`) and
    UnknownPartyError.
    """
    key = read_request(request)
    _require_fit(key, order.kind)
    # Two requests with one key at the same moment: the second waits here, and then sees the first.
    serialise(session)
    _require_unused(session, key, order)
    server = find_server(session, order.server)
    for party, suspended in ((order.server, server.suspended_at), (order.server.owner, server.owner.suspended_at)):
        if suspended is not None:
            raise _suspended(str(party))
    if order.member is None:
        certificate = make_authentication_certificate(
            order.server, server.owner.name, country, key, issuer, now, status_address=status_address
        )
    else:
        member = find_member(session, order.member)
        if member.suspended_at is not None:
            raise _suspended(str(order.member))
        hosted = session.scalar(
            select(ServerClient.id).where(ServerClient.server_id == server.id, ServerClient.member_id == member.id)
        )
        if hosted is None and order.member != order.server.owner:
            raise CertificationError(
                "member-not-hosted",
                f"The server {order.server} hosts no client of {order.member}, so it may not seal for it.",
                "Add the client to the server in the registration file and run `xacbe registry apply` first.",
            )
        certificate = make_signing_certificate(
            order.member, order.server, member.name, country, key, issuer, now, status_address=status_address
        )
    record_certificate(
        session, certificate, issuer.certificate, order.kind, now, key=key, server=order.server, member=order.member
    )
    return certificate


def _require_unused(session: Session, key: PublicKey, order: Order) -> None:
    for earlier in certificates_of_key(session, key):
        if earlier.holder != order.holder:
            raise CertificationError(
                "key-already-certified",
                f"This key is certified already, for {earlier.holder} (certificate {earlier.fingerprint}). One key "
                "serves one identity and one purpose.",
                _MAKE_A_KEY,
            )
        if earlier.revocation_reason == KEY_COMPROMISE:
            raise CertificationError(
                "key-compromised",
                f"A certificate of this key was revoked because the key was compromised ({earlier.fingerprint}).",
                _MAKE_A_KEY,
            )


def _require_fit(key: PublicKey, kind: Kind) -> None:
    if kind is Kind.SIGNING and isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, ec.SECP256R1):
        raise CertificationError(
            "request-key-unfit", "Messages are signed with keys on the curve P-256 or with RSA.", _MAKE_A_KEY
        )


def _require_strong(key: object) -> PublicKey:
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return key
    if isinstance(key, rsa.RSAPublicKey) and _SMALLEST_RSA_KEY <= key.key_size <= _LARGEST_RSA_KEY:
        return key
    raise CertificationError(
        "request-key-weak",
        f"The request's key is neither on the curve P-256 or P-384 nor RSA with {_SMALLEST_RSA_KEY} to "
        f"{_LARGEST_RSA_KEY} bits.",
        _MAKE_A_KEY,
    )


def _malformed(why: str) -> CertificationError:
    return CertificationError(
        "request-malformed", f"This is no signing request: {why}.", "Send the .csr file that `xacbe gateway init` made."
    )


def _suspended(party: str) -> CertificationError:
    return CertificationError(
        "party-suspended", f"{party} is suspended.", "End the suspension first: xacbe registry unsuspend."
    )
