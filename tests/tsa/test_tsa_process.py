"""The authority as a process: what it grants, refuses and survives, over real sockets."""

import asyncio
import hashlib
import secrets
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from asn1crypto import tsp

from estamp import der
from estamp.certificates import Kind, check_chain, kind_of
from estamp.errors import TimestampError
from estamp.timestamp import make_request, read_response, read_token
from estamp.timestamp_structure import SHA256_OID, SHA384_OID, SHA512_OID, TstInfo, encode_imprint
from tests.pki import TestPki
from tests.tsa.running_tsa import QUERY_TYPE, RunningTsa, write_settings
from tsa.settings import DEFAULT_POLICY

IMPRINT = hashlib.sha256(b"signature value").digest()
IMPRINT_DER = encode_imprint(SHA256_OID, False, IMPRINT)
V1 = der.integer(1)
PKI = TestPki()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTsa]:
    folder = tmp_path_factory.mktemp("tsa")
    with RunningTsa(write_settings(folder, PKI.tsa, listen="port = 0\nmax_request_bytes = 4096")) as running:
        yield running


def refusal_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/timestamp-reply"
    with pytest.raises(TimestampError) as caught:
        read_response(answer.content, imprint=IMPRINT, nonce=0)
    assert caught.value.reason == "timestamp-refused"
    return caught.value.message


def test_a_request_gets_a_token_that_chains_to_the_root(authority: RunningTsa) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    nonce = secrets.randbits(64)
    answer = authority.post(make_request(IMPRINT, nonce))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/timestamp-reply"
    found = read_token(read_response(answer.content, imprint=IMPRINT, nonce=nonce), IMPRINT)
    assert before <= found.time <= datetime.now(UTC)
    assert found.policy == DEFAULT_POLICY
    assert found.nonce == nonce
    assert found.accuracy_seconds == 1
    assert found.intermediates == (PKI.issuing.certificate,)
    assert kind_of(found.certificate) is Kind.TSA
    issuing = check_chain(found.certificate, found.intermediates, PKI.root.certificate, found.time)
    assert issuing == PKI.issuing.certificate


def test_settings_choose_policy_accuracy_and_enclosed_chain(tmp_path: Path) -> None:
    more = 'enclose_chain = false\n[tokens]\npolicy = "2.999.5"\naccuracy_seconds = 3\n'
    with RunningTsa(write_settings(tmp_path, PKI.tsa, more=more)) as running:
        answer = running.post(make_request(IMPRINT, 1))
    found = read_token(read_response(answer.content, imprint=IMPRINT, nonce=1), IMPRINT)
    assert (found.policy, found.accuracy_seconds) == ("2.999.5", 3)
    assert found.intermediates == ()


@pytest.mark.parametrize("oid", [SHA256_OID, SHA384_OID, SHA512_OID])
@pytest.mark.parametrize("null", [False, True])
def test_the_imprint_is_repeated_exactly_as_it_was_asked_for(authority: RunningTsa, oid: str, null: bool) -> None:
    size = {SHA256_OID: 32, SHA384_OID: 48, SHA512_OID: 64}[oid]
    imprint = encode_imprint(oid, null, b"\x5a" * size)
    answer = authority.post(der.sequence(V1, imprint, der.TRUE))
    response = tsp.TimeStampResp.load(answer.content, strict=True)
    assert response["status"]["status"].native == "granted"
    statement = response["time_stamp_token"]["content"]["encap_content_info"]["content"].parsed
    assert statement["message_imprint"].dump() == imprint
    assert statement["nonce"].native is None


def test_the_certificate_is_left_out_when_nobody_asked_for_it(authority: RunningTsa) -> None:
    answer = authority.post(der.sequence(V1, IMPRINT_DER))
    response = tsp.TimeStampResp.load(answer.content, strict=True)
    assert response["time_stamp_token"]["content"]["certificates"].native is None


@pytest.mark.parametrize(
    ("request_body", "failure"),
    [
        pytest.param(b"", "badDataFormat", id="empty"),
        pytest.param(b"\x30\x80\x00\x00", "badDataFormat", id="not DER"),
        pytest.param(make_request(IMPRINT, 7)[:-1], "badDataFormat", id="cut off"),
        pytest.param(make_request(IMPRINT, 7) + b"\0", "badDataFormat", id="trailing byte"),
        pytest.param(
            der.sequence(V1, encode_imprint(SHA512_OID, False, IMPRINT)), "badDataFormat", id="digest of another size"
        ),
        pytest.param(der.sequence(der.integer(2), IMPRINT_DER), "badRequest", id="version 2"),
        pytest.param(der.sequence(V1, encode_imprint("1.3.14.3.2.26", True, IMPRINT[:20])), "badAlg", id="SHA-1"),
        pytest.param(der.sequence(V1, encode_imprint("2.999.1", False, IMPRINT)), "badAlg", id="unknown algorithm"),
        pytest.param(
            der.sequence(V1, IMPRINT_DER, der.object_identifier("2.999.77")), "unacceptedPolicy", id="other policy"
        ),
        pytest.param(
            der.sequence(
                V1,
                IMPRINT_DER,
                der.tlv(der.context(0), der.sequence(der.object_identifier("2.999.8"), der.octet_string(b""))),
            ),
            "unacceptedExtension",
            id="extension",
        ),
    ],
)
def test_what_cannot_be_granted_is_refused_as_the_rfc_says(
    authority: RunningTsa, request_body: bytes, failure: str
) -> None:
    assert f" {failure}: " in refusal_of(authority.post(request_body))


def test_a_request_may_name_the_policy_that_is_served(authority: RunningTsa) -> None:
    answer = authority.post(der.sequence(V1, IMPRINT_DER, der.object_identifier(DEFAULT_POLICY), der.integer(9)))
    assert read_response(answer.content, imprint=IMPRINT, nonce=9)


def test_a_request_over_the_limit_gets_413_whether_announced_or_not(authority: RunningTsa) -> None:
    assert authority.post(b"\0" * 4097).status_code == 413
    chunks = httpx.post(
        authority.url, content=iter([b"\0" * 1000] * 5), headers={"content-type": QUERY_TYPE}, trust_env=False
    )
    assert chunks.status_code == 413
    assert f"{4096} bytes" in chunks.text
    # At the limit it is read, and found to be nonsense.
    assert " badDataFormat: " in refusal_of(authority.post(b"\0" * 4096))


def test_a_body_that_never_comes_is_refused_by_its_announcement(authority: RunningTsa) -> None:
    address = urlsplit(authority.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        head = f"POST / HTTP/1.1\r\nhost: x\r\ncontent-type: {QUERY_TYPE}\r\ncontent-length: {10**30}\r\n\r\n"
        connection.sendall(head.encode())
        received = connection.recv(100)
    # The HTTP parser may refuse such a number before the authority sees it.
    assert received.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 400 "))
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        connection.sendall(head.replace(str(10**30), "1000000000").encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_other_methods_types_and_paths_are_refused_by_http(authority: RunningTsa) -> None:
    get = httpx.get(authority.url, trust_env=False)
    assert (get.status_code, get.headers["allow"]) == (405, "POST")
    text = httpx.post(authority.url, content=b"x", headers={"content-type": "text/plain"}, trust_env=False)
    assert text.status_code == 415
    assert QUERY_TYPE in text.text
    assert httpx.post(authority.url, content=b"x", trust_env=False).status_code == 415
    elsewhere = httpx.post(
        f"{authority.url}tsa", content=make_request(IMPRINT, 1), headers={"content-type": QUERY_TYPE}, trust_env=False
    )
    assert elsewhere.status_code == 404


def test_health_and_metrics_tell_what_happens(authority: RunningTsa) -> None:
    authority.post(make_request(IMPRINT, 1))
    authority.post(b"nonsense")
    ready = httpx.get(f"{authority.management_url}/health/ready", trust_env=False)
    assert ready.status_code == 200
    assert [check["name"] for check in ready.json()["checks"]] == ["time"]
    metrics = httpx.get(f"{authority.management_url}/metrics", trust_env=False).text
    assert 'xacbe_tsa_requests_total{outcome="granted"}' in metrics
    assert 'xacbe_tsa_requests_total{outcome="badDataFormat"}' in metrics
    assert "xacbe_tsa_certificate_expiry_seconds" in metrics


async def serials_of(urls: list[str], count: int) -> list[int]:
    async with httpx.AsyncClient(trust_env=False, timeout=60, limits=httpx.Limits(max_connections=8)) as client:

        async def one(number: int) -> int:
            answer = await client.post(
                urls[number % len(urls)], content=make_request(IMPRINT, number), headers={"content-type": QUERY_TYPE}
            )
            return read_token(read_response(answer.content, imprint=IMPRINT, nonce=number), IMPRINT).serial

        return await asyncio.gather(*(one(number) for number in range(count)))


def test_serial_numbers_are_never_used_twice_by_two_processes_or_after_a_crash(tmp_path: Path) -> None:
    settings = write_settings(tmp_path, PKI.tsa)
    second_settings = settings.with_name("second.toml")
    second_settings.write_text(settings.read_text())
    with RunningTsa(settings) as first, RunningTsa(second_settings) as second:
        serials = asyncio.run(serials_of([first.url, second.url], 200))
        first.kill()
    with RunningTsa(settings) as restarted:
        serials += asyncio.run(serials_of([restarted.url], 50))
    assert len(set(serials)) == len(serials) == 250
    assert all(0 < serial < 2**160 for serial in serials)
    # Time comes first in them, so those made after the crash are larger than all before.
    assert min(serials[200:]) > max(serials[:200])


def test_once_the_certificate_has_expired_no_time_is_given(tmp_path: Path) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=6)
    tsa = PKI.service(Kind.TSA, not_after=end)
    with RunningTsa(write_settings(tmp_path, tsa)) as running:
        answer = running.post(make_request(IMPRINT, 3))
        assert read_response(answer.content, imprint=IMPRINT, nonce=3)
        time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()) + 1.1)
        message = refusal_of(running.post(make_request(IMPRINT, 3)))
        assert " timeNotAvailable: " in message
        ready = httpx.get(f"{running.management_url}/health/ready", trust_env=False)
    assert ready.status_code == 503
    (check,) = ready.json()["checks"]
    assert check["reason"] == "tsa-certificate-not-valid-now"
    assert "new certificate" in check["advice"]


def test_sigterm_ends_it_properly(tmp_path: Path) -> None:
    with RunningTsa(write_settings(tmp_path, PKI.tsa)) as running:
        assert running.terminate() == 0


def test_the_log_names_each_serial_number_and_no_imprint(authority: RunningTsa) -> None:
    imprint = hashlib.sha256(b"in the log").digest()
    answer = authority.post(make_request(imprint, 5))
    serial = read_token(read_response(answer.content, imprint=imprint, nonce=5), imprint).serial
    granted = [entry for entry in authority.log_entries() if entry["event"] == "timestamp-granted"]
    assert granted[-1]["serial"] == f"{serial:x}"
    assert imprint.hex() not in authority.log_file.read_text()


def test_a_statement_keeps_its_time_in_whole_seconds(authority: RunningTsa) -> None:
    answer = authority.post(make_request(IMPRINT, 5))
    response = tsp.TimeStampResp.load(answer.content)
    encoded = response["time_stamp_token"]["content"]["encap_content_info"]["content"].parsed.dump()
    assert TstInfo.decode(encoded).time.microsecond == 0
