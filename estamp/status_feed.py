"""The registry's status feed: which certificates each authority issued and revoked, signed for the OCSP responder.

It travels as a DSSE envelope (Dead Simple Signing Envelope, v1): JSON with the payload in base64, its type, and one
ECDSA P-256 signature over both, by the catalogue signer's key. The envelope also carries the catalogue signer's
certificate, because a trust anchor names that key by its digest alone.

A feed's `version` only grows. The registry signs it anew, with the same version, when nothing has changed, so that
`produced_at` tells a copy that is kept up from one that is held back.
"""

import base64
import binascii
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Final, Literal, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from estamp.certificates import key_fingerprint, load_certificate, public_key_fingerprint
from estamp.errors import CertificateError, StatusError

STATUS_FEED_MEDIA_TYPE: Final = "application/vnd.xacbe.status-feed+json"
"""The envelope's payloadType."""

ENVELOPE_MEDIA_TYPE: Final = "application/vnd.dsse.envelope.v1+json"
"""The Content-Type with which a registry serves the envelope."""

Serial = Annotated[str, Field(pattern=r"^[1-9a-f][0-9a-f]{0,39}$")]
"""A certificate's serial number in lower-case hexadecimal without leading zeros (RFC 5280: at most 20 octets)."""

RevocationReason = Literal[
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "privilegeWithdrawn",
    "aACompromise",
]
"""RFC 5280's reasons (5.3.1), without those that can be taken back: a revocation is for good."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))


class RevokedCertificate(_Strict):
    """One revoked certificate of an authority: its serial number, since when (UTC), and why."""

    serial: Serial
    at: AwareDatetime
    reason: RevocationReason = "unspecified"


class IssuerStatus(_Strict):
    """All that one authority has issued, and what of it is revoked.

    `certificate` is the authority's own, DER in base64. What stands in `revoked` stands in `issued` too.
    """

    certificate: str
    issued: tuple[Serial, ...]
    revoked: tuple[RevokedCertificate, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ = self.authority
        serials = [each.serial for each in self.revoked]
        if len(set(self.issued)) != len(self.issued) or len(set(serials)) != len(serials):
            raise ValueError("a serial number stands there twice")
        if not set(serials) <= set(self.issued):
            raise ValueError("a revoked certificate was never issued")
        return self

    @cached_property
    def authority(self) -> x509.Certificate:
        """The authority's certificate; raises ValueError when it cannot be read."""
        try:
            return load_certificate(base64.b64decode(self.certificate, validate=True))
        except (CertificateError, binascii.Error) as error:
            raise ValueError(f"an authority's certificate cannot be read: {error}") from error

    @classmethod
    def of(cls, authority: x509.Certificate, issued: Sequence[int], revoked: Sequence[RevokedCertificate] = ()) -> Self:
        """The status of what `authority` issued, from serial numbers as integers."""
        return cls(
            certificate=base64.b64encode(authority.public_bytes(Encoding.DER)).decode(),
            issued=tuple(serial_text(serial) for serial in issued),
            revoked=tuple(revoked),
        )


class StatusFeed(_Strict):
    """The payload: one instance's authorities at one version. `produced_at` (UTC) is when it was signed."""

    instance: Annotated[str, Field(min_length=1)]
    version: Annotated[int, Field(ge=1)]
    produced_at: AwareDatetime
    issuers: tuple[IssuerStatus, ...]

    def require_successor_of(self, held: "StatusFeed") -> None:
        """Require that this feed may take the place of `held`.

        Raises StatusError: `feed-older` when its version is lower, or the same but signed earlier;
        `feed-invalid` when the same version says something else.
        """
        if self.version < held.version or (self.version == held.version and self.produced_at < held.produced_at):
            raise StatusError(
                "feed-older",
                f"The status feed has version {self.version}, signed at {self.produced_at:%Y-%m-%dT%H:%M:%SZ}; "
                f"version {held.version}, signed at {held.produced_at:%Y-%m-%dT%H:%M:%SZ}, is held already.",
            )
        if self.version == held.version and self.issuers != held.issuers:
            raise StatusError("feed-invalid", f"Two status feeds of version {self.version} say different things.")


class _Signature(_Strict):
    keyid: str
    sig: str


class _Envelope(_Strict):
    payload: str
    payload_type: Annotated[str, Field(alias="payloadType")]
    signatures: Annotated[tuple[_Signature, ...], Field(min_length=1, max_length=1)]
    certificate: str


def serial_text(serial: int) -> str:
    """A serial number as feeds write it: lower-case hexadecimal without leading zeros."""
    return f"{serial:x}"


def sign_feed(feed: StatusFeed, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    """The envelope (JSON, UTF-8) around `feed`, signed with the catalogue signer's key.

    `certificate` is the catalogue signer's. Raises StatusError (`feed-invalid`) when the key is not its key or is not
    on P-256.
    """
    public_key = key.public_key()
    if public_key_fingerprint(public_key) != key_fingerprint(certificate):
        raise StatusError("feed-invalid", "The key is not that of the catalogue signer's certificate.")
    if not isinstance(public_key.curve, ec.SECP256R1):
        raise StatusError("feed-invalid", "Status feeds are signed with a key on P-256 only.")
    payload = feed.model_dump_json().encode()
    signature = key.sign(_pre_authentication_encoding(payload), ec.ECDSA(hashes.SHA256()))
    envelope = _Envelope.model_validate(
        {
            "payload": _base64(payload),
            "payloadType": STATUS_FEED_MEDIA_TYPE,
            "signatures": [{"keyid": key_fingerprint(certificate), "sig": _base64(signature)}],
            "certificate": _base64(certificate.public_bytes(Encoding.DER)),
        }
    )
    return envelope.model_dump_json(by_alias=True).encode()


def open_feed(data: bytes, signer_key: str, instance: str) -> StatusFeed:
    """The feed in an envelope, once its signature is known to be by the catalogue signer of `instance`.

    `signer_key` is the trust anchor's `catalogue_signer_key`. Nothing of the payload is looked at before the signature
    holds. Raises StatusError: `feed-invalid` or `feed-other-instance`.
    """
    try:
        envelope = _Envelope.model_validate_json(data)
        certificate = load_certificate(base64.b64decode(envelope.certificate, validate=True))
        signed_by = key_fingerprint(certificate)
        payload = base64.b64decode(envelope.payload, validate=True)
        signature = base64.b64decode(envelope.signatures[0].sig, validate=True)
    except (ValidationError, binascii.Error, CertificateError) as error:
        raise StatusError("feed-invalid", f"This is no envelope around a status feed: {_first(error)}.") from error
    if envelope.payload_type != STATUS_FEED_MEDIA_TYPE:
        raise StatusError("feed-invalid", f"The envelope holds {envelope.payload_type!r}, not a status feed.")
    key = certificate.public_key()
    if signed_by != signer_key or envelope.signatures[0].keyid != signer_key:
        raise StatusError("feed-invalid", "The status feed was signed by another key than the trust anchor names.")
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise StatusError("feed-invalid", "The status feed's signer has no key on P-256.")
    try:
        key.verify(signature, _pre_authentication_encoding(payload), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise StatusError("feed-invalid", "The status feed's signature does not hold.") from error
    try:
        feed = StatusFeed.model_validate_json(payload)
    except ValidationError as error:
        raise StatusError("feed-invalid", f"The status feed cannot be read: {_first(error)}.") from error
    if feed.instance != instance:
        raise StatusError("feed-other-instance", f"The status feed is of {feed.instance!r}, not of {instance!r}.")
    return feed


def _pre_authentication_encoding(payload: bytes) -> bytes:
    """What a DSSE signature covers: the payload and its type, each with its length, so that neither can be shifted."""
    kind = STATUS_FEED_MEDIA_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _first(error: ValueError | CertificateError) -> str:
    if not isinstance(error, ValidationError):
        return str(error).rstrip(".")
    detail = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(step) for step in detail['loc']) or 'the whole'}: {detail['msg']}"
