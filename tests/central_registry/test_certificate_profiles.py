"""Certificates as issued: what our own reader, OpenSSL and pkilint say of them."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from central_registry.certificate_profiles import (
    BACKDATED,
    Issuer,
    Operator,
    make_authentication_certificate,
    make_issuing_ca,
    make_root,
    make_service_certificate,
    make_signing_certificate,
)
from estamp.certificates import Kind, check_chain, instance_of, kind_of, server_of, signer_of
from estamp.identifiers import MemberId, ServerId
from tests.pki import new_key
from tests.requirements_of_tests import require_module, require_tool

NOW = datetime.now(UTC).replace(microsecond=0)
OPERATOR = Operator("MX", "Agencia Digital del Estado", "QROO")
# Characters that the registry admits and that a URI or a PrintableString could stumble over.
MEMBER = MemberId("QROO", "EST", "S.S'P(1)+,-=?")
SERVER = ServerId("QROO", "MUN", "BENITO-JUAREZ", "gw1")
STATUS = "http://127.0.0.1:8888/"
LONG_NAME = "Secretaría de Seguridad Ciudadana y de los Asuntos que de Ella Emanan en el Estado"


class Hierarchy:
    """One of each certificate, all under the same root."""

    def __init__(self, algorithm: str = "ec-p256") -> None:
        root_key, issuing_key = new_key(algorithm), new_key(algorithm)
        self.root = Issuer(make_root(OPERATOR, root_key, NOW), root_key)
        self.issuing = Issuer(make_issuing_ca(OPERATOR, issuing_key.public_key(), self.root, NOW), issuing_key)

        def service(kind: Kind, issuer: Issuer, *names: str) -> x509.Certificate:
            key = new_key(algorithm).public_key()
            return make_service_certificate(kind, OPERATOR, key, issuer, NOW, host_names=names, status_address=STATUS)

        self.end_entities = {
            "tsa": service(Kind.TSA, self.issuing),
            "ocsp": service(Kind.OCSP, self.issuing),
            "root-responder": service(Kind.OCSP, self.root),
            "catalogue-signer": service(Kind.CATALOGUE_SIGNER, self.root),
            "registry": service(Kind.REGISTRY, self.issuing, "registry.xacbe.example", "127.0.0.1"),
            "signing": make_signing_certificate(
                MEMBER, SERVER, LONG_NAME, "MX", new_key().public_key(), self.issuing, NOW, status_address=STATUS
            ),
            "authentication": make_authentication_certificate(
                SERVER, LONG_NAME, "MX", new_key(algorithm).public_key(), self.issuing, NOW, status_address=STATUS
            ),
        }

    def all(self) -> dict[str, x509.Certificate]:
        """Every certificate by name."""
        return {"root": self.root.certificate, "issuing-ca": self.issuing.certificate, **self.end_entities}


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    return Hierarchy()


@pytest.mark.parametrize("name", ["tsa", "ocsp", "root-responder", "catalogue-signer", "registry"])
def test_a_service_certificate_is_of_its_kind_and_instance(hierarchy: Hierarchy, name: str) -> None:
    certificate = hierarchy.end_entities[name]
    assert kind_of(certificate) == (Kind.OCSP if name == "root-responder" else Kind(name))
    assert instance_of(certificate) == "QROO"


def test_member_certificates_name_member_and_server(hierarchy: Hierarchy) -> None:
    name = signer_of(hierarchy.end_entities["signing"])
    assert (name.member, name.server) == (MEMBER, SERVER)
    assert server_of(hierarchy.end_entities["authentication"]) == SERVER


def test_every_chain_holds_now_and_a_moment_before(hierarchy: Hierarchy) -> None:
    for at in (NOW, NOW - BACKDATED):
        for certificate in hierarchy.end_entities.values():
            check_chain(certificate, [hierarchy.issuing.certificate], hierarchy.root.certificate, at)


def test_openssl_accepts_every_chain(hierarchy: Hierarchy, tmp_path: Path) -> None:
    openssl = require_tool("openssl")
    for name, certificate in hierarchy.all().items():
        (tmp_path / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    for name in hierarchy.all():
        command = [
            str(openssl),
            "verify",
            "-x509_strict",
            "-CAfile",
            "root.pem",
            "-untrusted",
            "issuing-ca.pem",
            f"{name}.pem",
        ]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("algorithm", ["ec-p256", "ec-p384", "rsa-3072"])
def test_pkilint_finds_nothing(tmp_path: Path, algorithm: str) -> None:
    require_module("pkilint")
    linter = Path(sys.executable).with_name("lint_pkix_cert")
    for name, certificate in Hierarchy(algorithm).all().items():
        file = tmp_path / f"{name}.pem"
        file.write_bytes(certificate.public_bytes(Encoding.PEM))
        result = subprocess.run([linter, "lint", "-s", "NOTICE", file], capture_output=True, text=True, check=False)
        assert (result.returncode, result.stdout.strip()) == (0, ""), f"{name}: {result.stdout}{result.stderr}"


def test_lifetimes_end_with_the_issuers(hierarchy: Hierarchy) -> None:
    certificates = hierarchy.all()
    years = {name: (each.not_valid_after_utc - NOW).days // 365 for name, each in certificates.items()}
    assert years == {
        "root": 20,
        "issuing-ca": 10,
        "tsa": 10,
        "catalogue-signer": 10,
        "ocsp": 2,
        "root-responder": 2,
        "registry": 2,
        "signing": 2,
        "authentication": 2,
    }
    late = hierarchy.issuing.certificate.not_valid_after_utc - timedelta(days=30)
    last = make_authentication_certificate(SERVER, "SSP", "MX", new_key().public_key(), hierarchy.issuing, late)
    assert last.not_valid_after_utc == hierarchy.issuing.certificate.not_valid_after_utc
    assert certificates["tsa"].not_valid_before_utc >= hierarchy.issuing.certificate.not_valid_before_utc


def test_serial_numbers_are_random_and_positive(hierarchy: Hierarchy) -> None:
    serials = [each.serial_number for each in hierarchy.all().values()]
    assert len(set(serials)) == len(serials)
    assert all(0 < serial < 2**159 for serial in serials)
    assert max(serials).bit_length() > 128


def test_names_too_long_for_a_subject_stay_apart() -> None:
    hierarchy = Hierarchy()

    def organisation(name: str) -> str:
        key = new_key().public_key()
        made = make_signing_certificate(MEMBER, SERVER, name, "MX", key, hierarchy.issuing, NOW)
        return str(made.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)[0].value)

    one, other = organisation(LONG_NAME + " A"), organisation(LONG_NAME + " B")
    assert one != other
    assert len(one) <= 64
    assert one.startswith("Secretaría de Seguridad")


@pytest.mark.parametrize("kind", [Kind.SIGNING, Kind.AUTHENTICATION])
def test_a_member_certificate_is_no_service_certificate(hierarchy: Hierarchy, kind: Kind) -> None:
    make: Callable[..., x509.Certificate] = make_service_certificate
    with pytest.raises(ValueError, match="names a security server"):
        make(kind, OPERATOR, new_key().public_key(), hierarchy.issuing, NOW)
