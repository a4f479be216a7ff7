"""Every certificate that the registry issues, field by field (RFC 5280; RFC 3161, 2.3; RFC 6960, 4.2.2.2; RFC 9336).

One function per kind of certificate; nothing here knows files, the database or the clock. What a certificate means
stands in its one subject alternative name URI and its usages (:mod:`estamp.certificates` reads them back); the
subject is for people.

Lifetimes are constants below, and a certificate never outlives its issuer. An OCSP responder's certificate lives two
years only: it carries id-pkix-ocsp-nocheck, so a stolen key can be stopped by nothing but the certificate's end, and
it is renewed in the same round as the signing certificates whose status it tells.
"""

import hashlib
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from estamp.certificates import DOCUMENT_SIGNING, Kind, authentication_uri, service_uri, signing_uri
from estamp.identifiers import MemberId, ServerId

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

YEAR: Final = timedelta(days=365)
BACKDATED: Final = timedelta(minutes=5)
"""How far notBefore lies before the moment of issue, for relying parties whose clocks run behind."""

ROOT_LIFETIME: Final = 20 * YEAR
ISSUING_CA_LIFETIME: Final = 10 * YEAR
LONGEST_NAME: Final = 64
"""ub-common-name, ub-organization-name and ub-serial-number of RFC 5280, appendix A, in characters."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certification authority at hand: its certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs the registry, as its own certificates say: country (ISO 3166), organisation, instance."""

    country: str
    organisation: str
    instance: str


@dataclass(frozen=True, slots=True)
class _Profile:
    lifetime: timedelta
    commits: bool
    usages: tuple[ObjectIdentifier, ...]
    usages_critical: bool = False


_PROFILES: Final = {
    Kind.SIGNING: _Profile(2 * YEAR, True, (DOCUMENT_SIGNING,)),
    Kind.AUTHENTICATION: _Profile(2 * YEAR, False, (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)),
    Kind.TSA: _Profile(10 * YEAR, False, (ExtendedKeyUsageOID.TIME_STAMPING,), usages_critical=True),
    Kind.OCSP: _Profile(2 * YEAR, False, (ExtendedKeyUsageOID.OCSP_SIGNING,)),
    Kind.CATALOGUE_SIGNER: _Profile(10 * YEAR, True, (DOCUMENT_SIGNING,)),
    Kind.REGISTRY: _Profile(2 * YEAR, False, (ExtendedKeyUsageOID.SERVER_AUTH,)),
}


def make_root(operator: Operator, key: PrivateKey, now: datetime) -> x509.Certificate:
    """The instance's self-signed root, valid for 20 years; it allows one authority below it."""
    subject = _subject(operator.country, operator.organisation, f"Xacbe root CA {operator.instance}")
    builder = _begin(subject, subject, key.public_key(), now - BACKDATED, now + ROOT_LIFETIME)
    return _authority(builder, path_length=1).sign(key, _digest(key))


def make_issuing_ca(operator: Operator, key: PublicKey, root: Issuer, now: datetime) -> x509.Certificate:
    """The authority that issues everything else, valid for 10 years; it allows no authority below it."""
    subject = _subject(operator.country, operator.organisation, f"Xacbe issuing CA {operator.instance}")
    builder = _begin(subject, root.certificate.subject, key, *_validity(root, now, ISSUING_CA_LIFETIME))
    return _authority(_with_issuer_key(builder, root), path_length=0).sign(root.key, _digest(root.key))


def make_service_certificate(
    kind: Kind,
    operator: Operator,
    key: PublicKey,
    issuer: Issuer,
    now: datetime,
    *,
    host_names: Sequence[str] = (),
    status_address: str | None = None,
) -> x509.Certificate:
    """A certificate of one of the instance's own services: tsa, ocsp, catalogue-signer or registry.

    `host_names` (DNS names or IP addresses) belong to the registry's TLS certificate alone. `status_address` is the
    http URL of the responder that knows this certificate; an OCSP responder's own certificate names none.
    """
    if kind in (Kind.SIGNING, Kind.AUTHENTICATION):
        raise ValueError(f"a {kind} certificate names a security server, not the instance")
    if host_names and kind is not Kind.REGISTRY:
        raise ValueError(f"a {kind} certificate holds no host names")
    subject = _subject(operator.country, operator.organisation, f"Xacbe {kind} {operator.instance}")
    names = [x509.UniformResourceIdentifier(service_uri(kind, operator.instance)), *map(_host_name, host_names)]
    return _end_entity(kind, subject, names, key, issuer, now, status_address)


def make_signing_certificate(
    member: MemberId,
    server: ServerId,
    name: str,
    country: str,
    key: PublicKey,
    issuer: Issuer,
    now: datetime,
    *,
    status_address: str | None = None,
) -> x509.Certificate:
    """The certificate with which `member` (called `name`) seals its messages on `server`."""
    subject = _subject(
        country, name, member.member_code, serial_number=_fitting(f"{member.member_class}/{member.member_code}")
    )
    names = [x509.UniformResourceIdentifier(signing_uri(member, server))]
    return _end_entity(Kind.SIGNING, subject, names, key, issuer, now, status_address)


def make_authentication_certificate(
    server: ServerId,
    owner_name: str,
    country: str,
    key: PublicKey,
    issuer: Issuer,
    now: datetime,
    *,
    status_address: str | None = None,
) -> x509.Certificate:
    """The certificate that `server`, run by the member called `owner_name`, presents in TLS, both ways."""
    owner = _fitting(f"{server.member_class}/{server.member_code}")
    subject = _subject(country, owner_name, server.server_code, serial_number=owner)
    names = [x509.UniformResourceIdentifier(authentication_uri(server))]
    return _end_entity(Kind.AUTHENTICATION, subject, names, key, issuer, now, status_address)


def _end_entity(
    kind: Kind,
    subject: x509.Name,
    names: Sequence[x509.GeneralName],
    key: PublicKey,
    issuer: Issuer,
    now: datetime,
    status_address: str | None,
) -> x509.Certificate:
    profile = _PROFILES[kind]
    builder = _begin(subject, issuer.certificate.subject, key, *_validity(issuer, now, profile.lifetime))
    builder = (
        _with_issuer_key(builder, issuer)
        .add_extension(_key_usage(commits=profile.commits), critical=True)
        .add_extension(x509.ExtendedKeyUsage(profile.usages), critical=profile.usages_critical)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    if kind is Kind.OCSP:
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    elif status_address is not None:
        responder = x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(status_address)
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([responder]), critical=False)
    return builder.sign(issuer.key, _digest(issuer.key))


def _begin(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(secrets.randbits(159) or 1)
        .not_valid_before(not_before.replace(microsecond=0))
        .not_valid_after(not_after.replace(microsecond=0))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _with_issuer_key(builder: x509.CertificateBuilder, issuer: Issuer) -> x509.CertificateBuilder:
    identifier = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
    )


def _authority(builder: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True).add_extension(
        _key_usage(authority=True), critical=True
    )


def _key_usage(*, commits: bool = False, authority: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not commits and not authority,
        content_commitment=commits,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _validity(issuer: Issuer, now: datetime, lifetime: timedelta) -> tuple[datetime, datetime]:
    # Both ends stay within the issuer's own: a chain is judged link by link at one moment.
    return (
        max(now - BACKDATED, issuer.certificate.not_valid_before_utc),
        min(now + lifetime, issuer.certificate.not_valid_after_utc),
    )


def _subject(country: str, organisation: str, common_name: str, *, serial_number: str | None = None) -> x509.Name:
    attributes = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, country),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, _fitting(organisation)),
        x509.NameAttribute(NameOID.COMMON_NAME, _fitting(common_name)),
    ]
    if serial_number is not None:
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial_number))
    return x509.Name(attributes)


def _fitting(text: str) -> str:
    """`text`, or for one too long its beginning and a digest of the whole, so that two never become the same."""
    if len(text) <= LONGEST_NAME:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{text[: LONGEST_NAME - 13].rstrip()}-{digest}"


def _host_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _digest(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    # The digest follows the issuer's curve, so that neither is the weaker half.
    large = isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256
    return hashes.SHA384() if large else hashes.SHA256()
