"""The keys of a running instance's authorities and trust services, so that a test can do whatever they could do."""

from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.pki import Credential, TestPki
from tests.running_instance import RunningInstance


class InstanceKeys(TestPki):
    """A hierarchy whose authorities and services are those of a running instance; it issues beside its registry.

    What `signing_for` and the like make chains to the instance's root, but stands neither in its catalogue nor in its
    status feed.
    """

    def __init__(self, instance: RunningInstance) -> None:
        super().__init__(instance.anchor.instance)
        self._state = instance.registry_state

    @cached_property
    def root(self) -> Credential:
        """The root CA."""
        return read_credential(self._state / "root" / "certificate.pem", self._state / "root" / "key.pem")

    @cached_property
    def issuing(self) -> Credential:
        """The issuing CA."""
        folder = self._state / "issuing-ca"
        return read_credential(folder / "certificate.pem", folder / "key.pem")

    @cached_property
    def tsa(self) -> Credential:
        """The TSA."""
        folder = self._state / "trust-services" / "tsa"
        return self._issued(folder / "certificate.pem", folder / "key.pem")

    @cached_property
    def ocsp(self) -> Credential:
        """The status responder for what the issuing CA issued."""
        folder = self._state / "trust-services" / "ocsp"
        return self._issued(folder / "certificate.pem", folder / "key.pem")

    @cached_property
    def root_ocsp(self) -> Credential:
        """The status responder for what the root issued."""
        folder = self._state / "trust-services" / "ocsp"
        return read_credential(folder / "root-responder.pem", folder / "root-responder-key.pem")

    def of_gateway(self, state: Path, name: str) -> Credential:
        """A certificate and key in a gateway's state folder: `authentication`, or `signing_…`."""
        return self._issued(state / f"{name}.pem", state / f"{name}.key")

    def _issued(self, certificate: Path, key: Path) -> Credential:
        found = read_credential(certificate, key)
        return Credential(found.certificate, found.key, (self.issuing.certificate,))


def read_credential(certificate: Path, key: Path) -> Credential:
    """The first certificate of a PEM file with its unencrypted key."""
    private = load_pem_private_key(key.read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return Credential(x509.load_pem_x509_certificates(certificate.read_bytes())[0], private)
