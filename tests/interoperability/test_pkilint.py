"""pkilint, which is not ours, reads every certificate that the running instance issued, and its status answers."""

import datetime as dt
import importlib
import io
import sqlite3
from collections.abc import Callable
from contextlib import closing, redirect_stdout
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from estamp.status import make_request
from tests.pki import TestPki
from tests.requirements_of_tests import require_module
from tests.running_instance import RunningInstance
from tests.status_answers import status_answer

KINDS = {"root", "issuing-ca", "signing", "authentication", "tsa", "ocsp", "catalogue-signer", "registry"}


def findings(linter: str, file: Path, data: bytes) -> str:
    """What a linter of pkilint finds of severity NOTICE and above; empty when nothing."""
    require_module("pkilint")
    main: Callable[[list[str]], int] = importlib.import_module(f"pkilint.bin.{linter}").main
    file.write_bytes(data)
    with redirect_stdout(io.StringIO()) as said:
        count = main(["lint", "-s", "NOTICE", "--document-format", "DER", str(file)])
    assert (count == 0) == (said.getvalue().strip() == "")
    return said.getvalue().strip()


@pytest.fixture(scope="module")
def issued(instance: RunningInstance) -> list[tuple[str, x509.Certificate]]:
    """Every certificate in the registry's database, with its kind."""
    file = instance.registry_state / "registry.sqlite"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        rows = connection.execute("select kind, der from certificate").fetchall()
    return [(kind, x509.load_der_x509_certificate(der)) for kind, der in rows]


def test_it_finds_nothing_in_any_certificate(issued: list[tuple[str, x509.Certificate]], tmp_path: Path) -> None:
    kinds = [kind for kind, _ in issued]
    assert set(kinds) == KINDS
    # Both gateways' keys, and a responder under each of the two authorities.
    assert (kinds.count("signing") >= 2, kinds.count("authentication") >= 2, kinds.count("ocsp")) == (True, True, 2)
    found = {
        f"{kind} {each.serial_number:x}": findings(
            "lint_pkix_cert", tmp_path / "c.der", each.public_bytes(Encoding.DER)
        )
        for kind, each in issued
    }
    assert {name: said for name, said in found.items() if said} == {}


def test_it_finds_nothing_in_status_answers(
    instance: RunningInstance, issued: list[tuple[str, x509.Certificate]], tmp_path: Path
) -> None:
    by_subject = {each.subject: each for _, each in issued}
    for kind, certificate in issued:
        if kind in ("signing", "issuing-ca", "catalogue-signer"):
            request = make_request(certificate, by_subject[certificate.issuer], b"a nonce of some length")
            headers = {"Content-Type": "application/ocsp-request"}
            answer = httpx.post(instance.ports.ocsp.url, content=request, headers=headers, trust_env=False)
            assert findings("lint_ocsp_response", tmp_path / "answer.der", answer.content) == ""


def test_it_finds_what_is_wrong_with_others(tmp_path: Path) -> None:
    pki = TestPki()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "no authority")])
    certificate = (
        x509.CertificateBuilder(name, name, pki.tsa.key.public_key(), x509.random_serial_number())
        .not_valid_before(pki.not_before)
        .not_valid_after(pki.not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=False)
        .sign(pki.issuing.key, hashes.SHA256())
    )
    said = findings("lint_pkix_cert", tmp_path / "c.der", certificate.public_bytes(Encoding.DER))
    assert "pkix." in said
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    answer = status_answer(pki.signing.certificate, pki.issuing.certificate, pki.ocsp, now)
    assert findings("lint_ocsp_response", tmp_path / "answer.der", answer) == ""
    thirteenth_month = answer.replace(f"{now:%Y%m%d}".encode(), f"{now:%Y}13{now:%d}".encode())
    assert "generalizedtime" in findings("lint_ocsp_response", tmp_path / "answer.der", thirteenth_month)
