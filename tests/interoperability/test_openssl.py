"""OpenSSL judges the parts of a container that it understands: token, status answer, certificates."""

import datetime as dt
import hashlib
import re
import subprocess
from pathlib import Path

import pytest
from lxml import etree

from estamp.signature import SIGNATURE_ENTRY
from tests.breaking import STATUS, TOKEN, Instance, embedded, entry_of, flipped, request
from tests.pki import Credential, new_key
from tests.requirements_of_tests import require_tool


@pytest.fixture(scope="module")
def openssl() -> str:
    return str(require_tool("openssl"))


@pytest.fixture(scope="module", params=["ec-p256", "rsa-2048"])
def pki(request: pytest.FixtureRequest) -> Instance:
    return Instance(algorithm=request.param)


@pytest.fixture(scope="module")
def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def container(pki: Instance, now: dt.datetime) -> bytes:
    return request(pki, now, body=b"{}").container()


@pytest.fixture
def folder(tmp_path: Path, pki: Instance) -> Path:
    (tmp_path / "root.pem").write_bytes(pki.root.pem)
    (tmp_path / "issuing.pem").write_bytes(pki.issuing.pem)
    (tmp_path / "signing.pem").write_bytes(pki.signing.pem)
    return tmp_path


def run(folder: Path, *command: str) -> tuple[int, str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout + done.stderr


def signature_value_of(container: bytes) -> bytes:
    """The SignatureValue element as any XML library canonicalises it: what the token is about."""
    element = etree.fromstring(entry_of(container, SIGNATURE_ENTRY)).find(
        ".//{http://www.w3.org/2000/09/xmldsig#}SignatureValue"
    )
    assert element is not None
    return etree.tostring(element, method="c14n", exclusive=True)


def judge_token(openssl: str, folder: Path, token: bytes, data: bytes) -> bool:
    (folder / "token.der").write_bytes(token)
    (folder / "data.xml").write_bytes(data)
    trusted = ("-in", "token.der", "-token_in", "-CAfile", "root.pem", "-untrusted", "issuing.pem")
    by_data, said = run(folder, openssl, "ts", "-verify", "-data", "data.xml", *trusted)
    digest = hashlib.sha256(data).hexdigest()
    by_digest, said_again = run(folder, openssl, "ts", "-verify", "-digest", digest, *trusted)
    assert (by_data == 0) == (by_digest == 0), said + said_again
    assert (by_data == 0) == ("Verification: OK" in said), said
    return by_data == 0


def test_the_timestamp(openssl: str, folder: Path, container: bytes) -> None:
    token, data = embedded(container, TOKEN)[0], signature_value_of(container)
    assert judge_token(openssl, folder, token, data)
    assert not judge_token(openssl, folder, token, data.replace(b">", b" >", 1))
    assert not judge_token(openssl, folder, flipped(token, -1), data)
    (folder / "root.pem").write_bytes(Instance().root.pem)
    assert not judge_token(openssl, folder, token, data)


def test_the_timestamp_says_its_time_and_policy(openssl: str, folder: Path, container: bytes, now: dt.datetime) -> None:
    (folder / "token.der").write_bytes(embedded(container, TOKEN)[0])
    _, said = run(folder, openssl, "ts", "-reply", "-in", "token.der", "-token_in", "-text")
    assert re.search(r"Hash Algorithm: sha256", said)
    assert f"{now.day} {now:%H:%M:%S %Y} GMT" in said


def judge_status(openssl: str, folder: Path, status: bytes) -> tuple[bool, str]:
    (folder / "status.der").write_bytes(status)
    code, said = run(
        folder, openssl, "ocsp", "-respin", "status.der", "-issuer", "issuing.pem", "-cert", "signing.pem",
        "-CAfile", "root.pem", "-verify_other", "issuing.pem", "-no_nonce",
    )  # fmt: skip
    return code == 0 and "Response verify OK" in said, said


def test_the_status_answer(openssl: str, folder: Path, pki: Instance, container: bytes) -> None:
    status = embedded(container, STATUS)[0]
    (folder / "root.pem").write_bytes(pki.root.pem + pki.issuing.pem)
    sound, said = judge_status(openssl, folder, status)
    assert sound, said
    assert "signing.pem: good" in said
    in_signature = status.index(pki.ocsp.der) - 20
    sound, said = judge_status(openssl, folder, flipped(status, in_signature))
    assert not sound, said


def test_a_revoked_and_a_strangers_status_answer(openssl: str, folder: Path, pki: Instance, now: dt.datetime) -> None:
    (folder / "root.pem").write_bytes(pki.root.pem + pki.issuing.pem)
    revoked = request(pki, now).but(make_status=lambda each: each.status(status="revoked")).container()
    sound, said = judge_status(openssl, folder, embedded(revoked, STATUS)[0])
    assert sound, said
    assert "signing.pem: revoked" in said
    stranger = request(pki, now).but(responder=Instance().ocsp).container()
    sound, said = judge_status(openssl, folder, embedded(stranger, STATUS)[0])
    assert not sound, said


def credentials(pki: Instance) -> dict[str, tuple[Credential, str]]:
    """Every certificate of an instance, with the purpose that OpenSSL knows for it."""
    return {
        "signing": (pki.signing, "any"),
        "signing-rsa": (pki.signing_for(pki.member, pki.server, key=new_key("rsa-2048")), "any"),
        "authentication-as-server": (pki.authentication, "sslserver"),
        "authentication-as-client": (pki.authentication, "sslclient"),
        "tsa": (pki.tsa, "timestampsign"),
        "ocsp": (pki.ocsp, "ocsphelper"),
        "registry": (pki.registry, "sslserver"),
        "catalogue-signer": (pki.catalogue_signer, "any"),
        "issuing": (pki.issuing, "any"),
    }


def test_the_chains(openssl: str, folder: Path, pki: Instance) -> None:
    def chains(credential: Credential, purpose: str, untrusted: str = "issuing.pem") -> tuple[bool, str]:
        (folder / "leaf.pem").write_bytes(credential.pem)
        code, said = run(
            folder, openssl, "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "root.pem",
            "-untrusted", untrusted, "leaf.pem",
        )  # fmt: skip
        return code == 0, said

    found = {name: chains(*each) for name, each in credentials(pki).items()}
    assert {name: said for name, (sound, said) in found.items() if not sound} == {}
    foreign = Instance()
    (folder / "foreign.pem").write_bytes(foreign.issuing.pem)
    assert not chains(foreign.signing, "any", "foreign.pem")[0]
    assert not chains(pki.signing, "sslclient")[0]
    assert not chains(pki.authentication, "timestampsign")[0]
    assert not chains(pki.signing_for(pki.member, pki.server, issuer=pki.signing), "any", "signing.pem")[0]
