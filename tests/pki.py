"""A certification hierarchy for tests, made anew in memory: every kind of certificate that an instance has.

`TestPki()` follows the profiles of estamp.certificates exactly. To make an expired, foreign or otherwise wrong
certificate, give the making methods other dates, another issuer, or an explicit profile (`issue`).
"""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from estamp.certificates import DOCUMENT_SIGNING, Kind, authentication_uri, service_uri, signing_uri
from estamp.identifiers import MemberId, ServerId

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_EXTENDED_KEY_USAGES = {
    Kind.SIGNING: [DOCUMENT_SIGNING],
    Kind.AUTHENTICATION: [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH],
    Kind.TSA: [ExtendedKeyUsageOID.TIME_STAMPING],
    Kind.OCSP: [ExtendedKeyUsageOID.OCSP_SIGNING],
    Kind.CATALOGUE_SIGNER: [DOCUMENT_SIGNING],
    Kind.REGISTRY: [ExtendedKeyUsageOID.SERVER_AUTH],
}


@dataclass(frozen=True)
class Credential:
    """A certificate with its key, and with the certificates above it up to, but without, the root."""

    certificate: x509.Certificate
    key: PrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def is_root(self) -> bool:
        """Whether the certificate issued itself."""
        return self.certificate.subject == self.certificate.issuer

    @property
    def der(self) -> bytes:
        """The certificate, DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate, PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """The certificate and those above it below the root, PEM, as a TLS server presents them."""
        return self.pem + b"".join(each.public_bytes(Encoding.PEM) for each in self.chain)

    @property
    def key_pem(self) -> bytes:
        """The private key, PKCS #8 PEM without a passphrase."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Leave `name`.pem (with the chain) and `name`.key (mode 0600) in `folder`; returns both paths."""
        certificate_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
        certificate_file.write_bytes(self.chain_pem)
        key_file.touch(mode=0o600)
        key_file.write_bytes(self.key_pem)
        return certificate_file, key_file


def new_key(algorithm: str = "ec-p256") -> PrivateKey:
    """A new private key: `ec-p256`, `ec-p384`, `ec-p521`, `rsa-1024`, `rsa-2048` or `rsa-3072`."""
    family, _, size = algorithm.partition("-")
    if family == "rsa":
        return rsa.generate_private_key(65537, int(size))
    curves: dict[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
    return ec.generate_private_key(curves[size])


class TestPki:
    """One instance's hierarchy: a root, an issuing CA, and whatever is asked of it below them."""

    __test__ = False  # its name begins with Test, but pytest has nothing to collect here

    def __init__(
        self,
        instance: str = "QROO",
        *,
        not_before: dt.datetime | None = None,
        lifetime: dt.timedelta = dt.timedelta(days=365),
        algorithm: str = "ec-p256",
    ) -> None:
        """Every certificate is valid from `not_before` (a day ago) for `lifetime`, unless a method is told otherwise.

        `algorithm` is that of every key, see `new_key`.
        """
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        self.instance = instance
        self.not_before = not_before or now - dt.timedelta(days=1)
        self.not_after = self.not_before + lifetime
        self.algorithm = algorithm
        self.member = MemberId(instance, "MUN", "BENITO-JUAREZ")
        self.server = ServerId(instance, "MUN", "BENITO-JUAREZ", "gw1")

    @cached_property
    def root(self) -> Credential:
        """The root CA."""
        return self.authority("Root CA", issuer=None, path_length=1)

    @cached_property
    def issuing(self) -> Credential:
        """The issuing CA, under the root."""
        return self.authority("Issuing CA", issuer=self.root, path_length=0)

    @cached_property
    def tsa(self) -> Credential:
        """The time-stamping authority."""
        return self.service(Kind.TSA)

    @cached_property
    def ocsp(self) -> Credential:
        """The status responder for what the issuing CA issued."""
        return self.service(Kind.OCSP)

    @cached_property
    def root_ocsp(self) -> Credential:
        """The status responder for what the root issued."""
        return self.service(Kind.OCSP, issuer=self.root, name="Root Status Responder")

    @cached_property
    def catalogue_signer(self) -> Credential:
        """The catalogue signer, issued by the root."""
        return self.service(Kind.CATALOGUE_SIGNER, issuer=self.root)

    @cached_property
    def registry(self) -> Credential:
        """The registry's TLS certificate for registry.localhost and 127.0.0.1 (pkilint takes no single-label name)."""
        return self.registry_for(["registry.localhost"], ["127.0.0.1"])

    @cached_property
    def signing(self) -> Credential:
        """The signing certificate of `self.member` on `self.server`."""
        return self.signing_for(self.member, self.server)

    @cached_property
    def authentication(self) -> Credential:
        """The authentication certificate of `self.server`."""
        return self.authentication_for(self.server)

    def signing_for(
        self,
        member: MemberId,
        server: ServerId,
        *,
        issuer: Credential | None = None,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
        key: PrivateKey | None = None,
    ) -> Credential:
        """A signing certificate of `member` on `server`."""
        uri = signing_uri(member, server)
        return self.issue(
            Kind.SIGNING,
            [x509.UniformResourceIdentifier(uri)],
            f"{member.member_code} signing on {server.server_code}",
            issuer=issuer,
            not_before=not_before,
            not_after=not_after,
            key=key,
        )

    def authentication_for(
        self,
        server: ServerId,
        *,
        issuer: Credential | None = None,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
        key: PrivateKey | None = None,
    ) -> Credential:
        """An authentication (TLS) certificate of `server`."""
        return self.issue(
            Kind.AUTHENTICATION,
            [x509.UniformResourceIdentifier(authentication_uri(server))],
            f"{server.member_code} {server.server_code}",
            issuer=issuer,
            not_before=not_before,
            not_after=not_after,
            key=key,
        )

    def registry_for(self, hosts: Sequence[str], addresses: Sequence[str] = ()) -> Credential:
        """The registry's TLS certificate for these host names and IP addresses."""
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(service_uri(Kind.REGISTRY, self.instance))]
        names += [x509.DNSName(host) for host in hosts]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        return self.issue(Kind.REGISTRY, names, "Registry")

    def service(
        self,
        kind: Kind,
        *,
        name: str | None = None,
        issuer: Credential | None = None,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
        key: PrivateKey | None = None,
    ) -> Credential:
        """A certificate of one of the instance's own services."""
        return self.issue(
            kind,
            [x509.UniformResourceIdentifier(service_uri(kind, self.instance))],
            name or kind.value,
            issuer=issuer,
            not_before=not_before,
            not_after=not_after,
            key=key,
        )

    def authority(
        self,
        name: str,
        *,
        issuer: Credential | None,
        path_length: int | None,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
        key: PrivateKey | None = None,
    ) -> Credential:
        """A certification authority; its own issuer when `issuer` is None."""
        return self.build(
            f"{self.instance} {name}",
            [
                (x509.BasicConstraints(ca=True, path_length=path_length), True),
                (key_usage("key_cert_sign", "crl_sign"), True),
            ],
            issuer=issuer,
            not_before=not_before,
            not_after=not_after,
            key=key,
        )

    def issue(
        self,
        kind: Kind,
        names: Sequence[x509.GeneralName],
        common_name: str,
        *,
        issuer: Credential | None = None,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
        key: PrivateKey | None = None,
    ) -> Credential:
        """A certificate with the usages of `kind` and any subject alternative names, by the issuing CA or `issuer`."""
        usage = "content_commitment" if kind in (Kind.SIGNING, Kind.CATALOGUE_SIGNER) else "digital_signature"
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (key_usage(usage), True),
            (x509.ExtendedKeyUsage(_EXTENDED_KEY_USAGES[kind]), kind is Kind.TSA),
            (x509.SubjectAlternativeName(names), False),
        ]
        if kind is Kind.OCSP:
            extensions.append((x509.OCSPNoCheck(), False))
        return self.build(
            common_name,
            extensions,
            issuer=issuer or self.issuing,
            not_before=not_before,
            not_after=not_after,
            key=key,
        )

    def build(
        self,
        common_name: str,
        extensions: Sequence[tuple[x509.ExtensionType, bool]],
        *,
        issuer: Credential | None,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
        key: PrivateKey | None = None,
        signature_hash: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None = None,
    ) -> Credential:
        """A certificate with exactly these extensions (each with its critical flag) beside the two key identifiers."""
        key = key or new_key(self.algorithm)
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "MX"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.instance),
                x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            ]
        )
        issuer_key = issuer.key if issuer else key
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before or self.not_before)
            .not_valid_after(not_after or self.not_after)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if issuer:
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
            builder = builder.add_extension(identifier, critical=False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        certificate = builder.sign(issuer_key, signature_hash or hashes.SHA256())
        above = (issuer.certificate, *issuer.chain) if issuer and not issuer.is_root else ()
        return Credential(certificate, key, above)


def key_usage(*names: str) -> x509.KeyUsage:
    """The key usage extension with exactly these bits, named as cryptography names them."""
    bits = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{bit: bit in names for bit in bits})
