"""A small certificate authority for TLS tests."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from service_runtime.keys import PrivateKey, generate_key, write_private_key
from service_runtime.tls import Identity


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, and where both lie as files."""

    certificate: x509.Certificate
    key: PrivateKey
    identity: Identity

    @property
    def der(self) -> bytes:
        """The certificate as DER."""
        return self.certificate.public_bytes(Encoding.DER)


class Authority:
    """A root that issues certificates into a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = generate_key()
        self.certificate = self._sign(self._name, self._key, is_authority=True)

    def issue(self, name: str) -> Issued:
        """A certificate for both sides of TLS, good for 127.0.0.1."""
        key = generate_key()
        certificate = self._sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, is_authority=False)
        identity = Identity(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        identity.certificates.write_bytes(certificate.public_bytes(Encoding.PEM))
        write_private_key(identity.key, key)
        return Issued(certificate, key, identity)

    def _sign(self, subject: x509.Name, key: PrivateKey, *, is_authority: bool) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if not is_authority:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
            builder = builder.add_extension(uses, critical=False)
        return builder.sign(self._key, hashes.SHA256())
