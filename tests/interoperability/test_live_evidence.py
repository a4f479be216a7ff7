"""The evidence of a real exchange, as `xacbe demo --evidence` leaves it, before outside judges."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from member_sdk import Gateway
from tests.breaking import KEPT, SIGNER, STATUS, TOKEN, embedded, entry_of, flipped, rebuilt, with_embedded
from tests.interoperability.test_openssl import judge_status, judge_token, run, signature_value_of
from tests.pki import TestPki
from tests.requirements_of_tests import require_module, require_tool
from tests.running_instance import CLIENT, PLATE, SERVICE, RunningInstance

MESSAGES = ("request.asice", "response.asice")


@pytest.fixture(scope="module")
def left(instance: RunningInstance, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the demo leaves it: both containers, and the certificates that verify them."""
    folder = tmp_path_factory.mktemp("evidence")
    with Gateway(instance.url(), CLIENT) as gateway:
        answer = gateway.call(SERVICE, PLATE, method="POST", content=b"why: expediente 7")
        instance.setup.leave_evidence(answer.evidence(), folder)
    return folder


@pytest.fixture(params=MESSAGES)
def container(request: pytest.FixtureRequest, left: Path) -> bytes:
    return (left / str(request.param)).read_bytes()


def der_of(file: Path) -> bytes:
    """The one certificate of a PEM file, DER."""
    return x509.load_pem_x509_certificate(file.read_bytes()).public_bytes(Encoding.DER)


def changed(container: bytes, responder: bytes) -> dict[str, bytes]:
    """The container with one byte of a part changed each time, its ZIP rebuilt whole."""
    token, status = embedded(container, TOKEN)[0], embedded(container, STATUS)[0]
    body = entry_of(container, "body")
    return {
        "body": rebuilt(container, {"body": flipped(body, len(body) // 2)}),
        "token": with_embedded(container, TOKEN, flipped(token, -1)),
        "token-imprint": with_embedded(container, TOKEN, flipped(token, token.index(bytes.fromhex("0420")) + 9)),
        "status": with_embedded(container, STATUS, flipped(status, status.index(responder) - 20)),
        "status-time": with_embedded(container, STATUS, flipped(status, status.index(b"Z0") - 1)),
    }


def test_libdigidocpp_says_valid_twice_and_invalid_after_any_change(
    left: Path, tmp_path: Path, project_root: Path
) -> None:
    for module in ("pydigidoc", "signxml", "lxml"):
        require_module(module)
    files = [left / name for name in MESSAGES]
    for name in MESSAGES:
        for what, data in changed((left / name).read_bytes(), der_of(left / "ocsp.pem")).items():
            files.append(tmp_path / f"{what}-{name}")
            files[-1].write_bytes(data)
    trusted = {"ca": "issuing-ca.pem", "tsa": "tsa.pem", "ocsp": "ocsp.pem"}
    question = {kind: [base64.b64encode(der_of(left / name)).decode()] for kind, name in trusted.items()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.interoperability.digidoc_judge"],
        cwd=project_root,
        input=json.dumps({**question, "containers": [str(file) for file in files]}),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    verdicts = dict(zip((file.name for file in files), json.loads(done.stdout), strict=True))
    assert [name for name, each in verdicts.items() if each["valid"]] == list(MESSAGES), verdicts
    assert all(verdicts[name]["said"].startswith("BES/time-stamp ") for name in MESSAGES)


@pytest.fixture
def folder(left: Path, tmp_path: Path, container: bytes) -> Path:
    """A working folder with the certificates under the names that the judges of parts expect."""
    (tmp_path / "root.pem").write_bytes((left / "root-ca.pem").read_bytes())
    (tmp_path / "issuing.pem").write_bytes((left / "issuing-ca.pem").read_bytes())
    signer = x509.load_der_x509_certificate(embedded(container, SIGNER)[0])
    (tmp_path / "signing.pem").write_bytes(signer.public_bytes(Encoding.PEM))
    return tmp_path


def test_openssl_accepts_the_timestamp(folder: Path, left: Path, container: bytes) -> None:
    openssl = str(require_tool("openssl"))
    token, data = embedded(container, TOKEN)[0], signature_value_of(container)
    assert der_of(left / "tsa.pem") in token
    assert judge_token(openssl, folder, token, data)
    assert not judge_token(openssl, folder, flipped(token, -1), data)
    assert not judge_token(openssl, folder, token, data + b" ")


def test_openssl_accepts_the_status_answer(folder: Path, left: Path, container: bytes) -> None:
    openssl = str(require_tool("openssl"))
    (folder / "root.pem").write_bytes((left / "root-ca.pem").read_bytes() + (left / "issuing-ca.pem").read_bytes())
    status = embedded(container, STATUS)[0]
    sound, said = judge_status(openssl, folder, status)
    assert sound, said
    assert "signing.pem: good" in said
    assert not judge_status(openssl, folder, flipped(status, status.index(der_of(left / "ocsp.pem")) - 20))[0]
    (folder / "signing.pem").write_bytes((left / "tsa.pem").read_bytes())
    assert "signing.pem: good" not in judge_status(openssl, folder, status)[1]


def test_openssl_accepts_the_chains(folder: Path, left: Path, container: bytes) -> None:
    openssl = str(require_tool("openssl"))
    issuing, responder = embedded(container, KEPT)
    assert (issuing, responder) == (der_of(left / "issuing-ca.pem"), der_of(left / "ocsp.pem"))
    purposes = {"signing.pem": "any", str(left / "tsa.pem"): "timestampsign", str(left / "ocsp.pem"): "ocsphelper"}

    def verified(file: str, purpose: str, root: str = "root.pem") -> int:
        chain = ("-x509_strict", "-purpose", purpose, "-CAfile", root, "-untrusted", "issuing.pem", file)
        return run(folder, openssl, "verify", *chain)[0]

    assert {file: verified(file, purpose) for file, purpose in purposes.items()} == dict.fromkeys(purposes, 0)
    assert verified("signing.pem", "timestampsign") != 0
    (folder / "other-root.pem").write_bytes(TestPki().root.pem)
    assert verified("signing.pem", "any", "other-root.pem") != 0
