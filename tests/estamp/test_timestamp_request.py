"""Time-stamp requests: ours, those of other software, and those that nobody may accept."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from asn1crypto import tsp

from estamp import der
from estamp.errors import TimestampError
from estamp.timestamp import TimestampRequest, make_request, read_request
from estamp.timestamp_structure import SHA256_OID, encode_imprint
from tests.requirements_of_tests import require_tool

IMPRINT = hashlib.sha256(b"signature value").digest()
NONCE = 0xFEDCBA9876543210
V1 = der.integer(1)
IMPRINT_DER = encode_imprint(SHA256_OID, False, IMPRINT)


def test_our_request_reads_back() -> None:
    assert read_request(make_request(IMPRINT, NONCE)) == TimestampRequest(
        imprint=IMPRINT, hash_oid=SHA256_OID, nonce=NONCE, certificate_requested=True
    )


def test_our_request_is_what_asn1crypto_understands_and_would_write() -> None:
    encoded = make_request(IMPRINT, NONCE)
    request = tsp.TimeStampReq.load(encoded, strict=True)
    assert request.native["version"] == "v1"
    assert request.native["message_imprint"]["hash_algorithm"]["algorithm"] == "sha256"
    assert request.native["message_imprint"]["hashed_message"] == IMPRINT
    assert request.native["nonce"] == NONCE
    assert request.native["cert_req"] is True
    assert request.dump(force=True) == encoded


def test_an_imprint_of_another_size_is_no_sha256_digest() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        make_request(IMPRINT[:-1], NONCE)


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512", "sha1"])
def test_requests_of_openssl_are_read(tmp_path: Path, algorithm: str) -> None:
    openssl = require_tool("openssl")
    (tmp_path / "data").write_bytes(b"signature value")
    arguments = ["-data", "data", f"-{algorithm}", "-tspolicy", "2.999.7", "-out", "query.tsq"]
    subprocess.run([openssl, "ts", "-query", *arguments], cwd=tmp_path, check=True, capture_output=True)
    request = read_request((tmp_path / "query.tsq").read_bytes())
    assert request.imprint == hashlib.new(algorithm, b"signature value").digest()
    assert request.policy == "2.999.7"
    assert request.nonce is not None
    assert not request.certificate_requested


def test_extensions_are_named() -> None:
    extension = der.sequence(der.object_identifier("2.999.8"), der.TRUE, der.octet_string(b"x"))
    encoded = der.sequence(V1, IMPRINT_DER, der.tlv(der.context(0), extension))
    assert read_request(encoded).extensions == ("2.999.8",)


def test_a_default_that_is_written_out_is_harmless() -> None:
    assert read_request(der.sequence(V1, IMPRINT_DER, der.FALSE)) == read_request(der.sequence(V1, IMPRINT_DER))


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1", id="text"),
        pytest.param(der.sequence(), id="empty"),
        pytest.param(der.sequence(V1), id="no imprint"),
        pytest.param(der.sequence(V1, IMPRINT_DER) + b"\0", id="trailing byte"),
        pytest.param(der.sequence(V1, IMPRINT_DER, der.NULL), id="unknown element"),
        pytest.param(der.sequence(V1, IMPRINT_DER, der.TRUE, der.integer(7)), id="wrong order"),
        pytest.param(der.sequence(V1, IMPRINT_DER, b"\x01\x01\x01"), id="boolean that DER forbids"),
        pytest.param(der.sequence(V1, encode_imprint(SHA256_OID, False, IMPRINT[1:])), id="short digest"),
        pytest.param(der.sequence(V1, encode_imprint(SHA256_OID, False, IMPRINT + b"x")), id="long digest"),
        pytest.param(der.sequence(V1, IMPRINT_DER, der.integer(1 << 600)), id="nonce without end"),
        pytest.param(der.sequence(V1, IMPRINT_DER, der.tlv(der.context(0))), id="empty extensions"),
    ],
)
def test_a_malformed_request_is_refused(encoded: bytes) -> None:
    with pytest.raises(TimestampError) as caught:
        read_request(encoded)
    assert caught.value.reason == "timestamp-malformed"


def test_another_version_is_refused_as_such() -> None:
    with pytest.raises(TimestampError) as caught:
        read_request(der.sequence(der.integer(2), IMPRINT_DER))
    assert caught.value.reason == "timestamp-unsupported-version"


def test_no_cut_of_a_request_passes() -> None:
    encoded = make_request(IMPRINT, NONCE)
    for size in range(len(encoded)):
        with pytest.raises(TimestampError):
            read_request(encoded[:size])
