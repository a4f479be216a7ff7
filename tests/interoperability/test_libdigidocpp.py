"""libdigidocpp, which is not ours, comes to the same verdicts: its own reading of ZIP, XML, timestamp and status.

Everything here is of now: the library judges some things by the machine's clock.
"""

import base64
import datetime as dt
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from estamp.message import RequestHead
from estamp.verification import Policy, verify
from tests.breaking import (
    SERVICE,
    STATUS,
    TARGET,
    TOKEN,
    Instance,
    answer,
    embedded,
    entry_of,
    flipped,
    rebuilt,
    request,
    request_headers,
    with_embedded,
)
from tests.hostile_zip import pack, parts_of
from tests.pki import new_key
from tests.requirements_of_tests import require_module

Verdicts = Mapping[str, tuple[bool, str]]


def good(pki: Instance, now: dt.datetime) -> dict[str, bytes]:
    """Containers of every form that the wire has, all valid."""
    json_head = RequestHead(request_headers(Content_Type="application/json"), "POST", TARGET).encode()
    odd_head = RequestHead(request_headers(Content_Type="*/*; q=1"), "POST", f"/r1/{SERVICE}/a?b=%C3%B1").encode()
    body = b'{"placa":"UTR-123-A"}'
    with_body = request(pki, now, head=json_head, body=body, media_type="application/json").container()
    rsa = pki.signing_for(pki.member, pki.server, key=new_key("rsa-2048"))
    return {
        "request": request(pki, now).container(),
        "request-with-body": with_body,
        "request-with-empty-body": request(pki, now, body=b"").container(),
        "request-of-unnameable-type": request(pki, now, head=odd_head, body=b"\0\xff").container(),
        "request-with-data-descriptors": pack([part.but(descriptor=True) for part in parts_of(with_body)]),
        "request-rsa": request(pki, now, body=body).but(signer=rsa).container(),
        "answer": answer(pki, now).container(),
        "status-minutes-after": request(pki, now).but(status_time=now + dt.timedelta(minutes=14)).container(),
        "signed-minutes-before": request(pki, now).but(signing_time=now - dt.timedelta(minutes=4)).container(),
    }


def changed(pki: Instance, now: dt.datetime) -> dict[str, bytes]:
    """The same message after one byte of one part was changed, with the ZIP rebuilt whole and base64 right."""
    container = request(pki, now, body=b'{"placa":"UTR-123-A"}').container()
    token, status = embedded(container, TOKEN)[0], embedded(container, STATUS)[0]
    imprint_at = token.index(bytes.fromhex("0420")) + 10
    signed_status = status.index(pki.ocsp.der)
    return {
        "body": rebuilt(container, {"body": flipped(entry_of(container, "body"), 10)}),
        "head": rebuilt(container, {"request.http": flipped(entry_of(container, "request.http"), 10)}),
        "token-statement": with_embedded(container, TOKEN, flipped(token, imprint_at)),
        "token-signature": with_embedded(container, TOKEN, flipped(token, -1)),
        "status-signature": with_embedded(container, STATUS, flipped(status, signed_status - 20)),
        "status-statement": with_embedded(container, STATUS, flipped(status, status.index(b"Z0") - 1)),
        "revoked": request(pki, now).but(make_status=lambda each: each.status(status="revoked")).container(),
        "unknown-tsa": request(pki, now).but(tsa=Instance().tsa).container(),
        "foreign-signer": request(pki, now).but(signer=Instance().signing).container(),
        "tls-certificate": request(pki, now).but(signer=pki.authentication).container(),
    }


def older_status(pki: Instance, now: dt.datetime) -> dict[str, bytes]:
    """Valid by our rule of eight hours, and noted as such; libdigidocpp wants the status after the timestamp."""
    return {
        f"status-{name}-before": request(pki, now).but(status_time=now - before).container()
        for name, before in {"second": dt.timedelta(seconds=1), "hours": dt.timedelta(hours=7)}.items()
    }


@pytest.fixture(scope="module")
def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(minutes=30)


@pytest.fixture(scope="module")
def pki() -> Instance:
    return Instance()


@pytest.fixture(scope="module")
def ours(pki: Instance, now: dt.datetime) -> dict[str, bytes]:
    return good(pki, now) | changed(pki, now) | older_status(pki, now)


@pytest.fixture(scope="module")
def judged(
    ours: dict[str, bytes], pki: Instance, tmp_path_factory: pytest.TempPathFactory, project_root: Path
) -> Verdicts:
    for module in ("pydigidoc", "signxml", "lxml"):
        require_module(module)
    folder = tmp_path_factory.mktemp("containers")
    for name, container in ours.items():
        (folder / f"{name}.asice").write_bytes(container)
    trusted = {"ca": pki.issuing, "tsa": pki.tsa, "ocsp": pki.ocsp}
    question = {
        **{kind: [base64.b64encode(each.der).decode()] for kind, each in trusted.items()},
        "containers": [str(folder / f"{name}.asice") for name in ours],
    }
    process = subprocess.run(
        [sys.executable, "-m", "tests.interoperability.digidoc_judge"],
        cwd=project_root,
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    answers = json.loads(process.stdout)
    return {name: (each["valid"], each["said"]) for name, each in zip(ours, answers, strict=True)}


def test_it_accepts_every_form_of_the_wire(judged: Verdicts, pki: Instance, now: dt.datetime) -> None:
    assert {name: judged[name] for name in good(pki, now) if not judged[name][0]} == {}


def test_it_sees_the_level_and_the_time_that_we_state(judged: Verdicts, now: dt.datetime) -> None:
    said = judged["request"][1]
    assert said == f"BES/time-stamp {now:%Y-%m-%dT%H:%M:%SZ}"


def test_it_refuses_whatever_was_changed(judged: Verdicts, pki: Instance, now: dt.datetime) -> None:
    assert [name for name in changed(pki, now) if judged[name][0]] == []


def test_it_refuses_a_status_older_than_the_timestamp(
    judged: Verdicts, ours: dict[str, bytes], pki: Instance, now: dt.datetime
) -> None:
    """Documented in docs/reference/wire.md: our verdict notes it, and that library does not accept it."""
    for name in older_status(pki, now):
        verdict = verify(ours[name], pki.anchor, Policy(now))
        assert verdict.valid
        assert verdict.notes == ("status-before-timestamp",)
        assert not judged[name][0]


def test_we_come_to_the_same_verdicts(
    judged: Verdicts, ours: dict[str, bytes], pki: Instance, now: dt.datetime
) -> None:
    names = [name for name in ours if name not in older_status(pki, now)]
    # Later than the latest status answer among them: what lies ahead of our clock we refuse, that library does not.
    later = now + dt.timedelta(hours=1)
    own = {name: verify(ours[name], pki.anchor, Policy(later)).valid for name in names}
    assert own == {name: judged[name][0] for name in names}
