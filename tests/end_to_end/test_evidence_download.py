"""/asic and /verificationconf: the evidence of a system's own calls, and what a verifier needs."""

import io
import uuid
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from estamp.anchor import TrustAnchor
from estamp.container import MEDIA_TYPE
from estamp.identifiers import ClientId
from estamp.verification import Policy, verify, verify_catalogue
from tests.registered_systems import TlsListener, consumer_settings, listening_over_tls, self_signed
from tests.running_instance import CLIENT, CONSUMER, WITHOUT_RIGHT, RunningInstance, until

NOT_FOUND = (404, "not found")


def own(client: str = CLIENT) -> dict[str, str]:
    """The query parameters that name a client."""
    named = ClientId.parse(client)
    return {
        "xRoadInstance": named.instance,
        "memberClass": named.member_class,
        "memberCode": named.member_code,
        **({"subsystemCode": named.subsystem_code} if named.subsystem_code else {}),
    }


def download(instance: RunningInstance, *, client: str = CLIENT, **parameters: str) -> httpx.Response:
    """GET /asic as an information system on the gateway's machine asks it."""
    return httpx.get(f"{instance.url()}/asic", params={**own(client), **parameters}, trust_env=False, timeout=30)


def told(answer: httpx.Response) -> tuple[int, str]:
    """A refusal: its status and its plain text."""
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer.status_code, answer.text


def files_in(answer: httpx.Response) -> dict[str, bytes]:
    """The files of a ZIP, by name."""
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip"), answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = archive.namelist()
        assert len(names) == len(set(names))
        return {name: archive.read(name) for name in names}


def call(instance: RunningInstance, message_id: str | None = None, *, client: str = CLIENT) -> tuple[str, str]:
    """Make a call; its message id and its request id."""
    message_id = message_id or f"call-{uuid.uuid4()}"
    answer = instance.call(headers={"X-Road-Id": message_id}, client=client)
    return message_id, answer.headers["x-road-request-id"]


def name_of(row: dict[str, Any], message_id: str) -> str:
    """How the file of a log entry is called: `<queryId>-request-<UTC>.asice`."""
    at = datetime.fromtimestamp(row["at"] // 1_000_000, UTC)  # kept in microseconds
    kind = "request" if row["direction"] == "request" else "response"
    return f"{message_id}-{kind}-{at:%Y%m%dT%H%M%S}Z.asice"


def test_both_containers_of_a_call_come_as_they_stand_in_the_log(instance: RunningInstance) -> None:
    begun = datetime.now(UTC).replace(microsecond=0)
    message_id, request_id = call(instance)
    answer = download(instance, queryId=message_id)
    assert answer.headers["content-disposition"] == f'attachment; filename="{message_id}.zip"'
    rows = instance.entries(CONSUMER, "request_id = ?", request_id)
    files = files_in(answer)
    assert files == {name_of(row, message_id): row["container"] for row in rows}
    assert len(files) == 2
    for name, container in files.items():
        stamp = datetime.strptime(name.rpartition("-")[2], "%Y%m%dT%H%M%SZ.asice").replace(tzinfo=UTC)
        assert begun <= stamp <= datetime.now(UTC)
        assert verify(container, instance.anchor, Policy(datetime.now(UTC))).valid


@pytest.mark.parametrize(("parameter", "direction"), [("requestOnly", "request"), ("responseOnly", "answer")])
def test_one_direction_alone(instance: RunningInstance, parameter: str, direction: str) -> None:
    message_id, request_id = call(instance)
    (row,) = instance.entries(CONSUMER, "request_id = ? and direction = ?", request_id, direction)
    files = files_in(download(instance, queryId=message_id, **{parameter: ""}))
    assert files == {name_of(row, message_id): row["container"]}


@pytest.mark.parametrize(("parameter", "direction"), [("requestOnly", "request"), ("responseOnly", "answer")])
def test_unique_gives_the_container_itself(instance: RunningInstance, parameter: str, direction: str) -> None:
    message_id, request_id = call(instance)
    (row,) = instance.entries(CONSUMER, "request_id = ? and direction = ?", request_id, direction)
    answer = download(instance, queryId=message_id, unique="", **{parameter: ""})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == MEDIA_TYPE == "application/vnd.etsi.asic-e+zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name_of(row, message_id)}"'
    assert answer.content == row["container"]


def test_a_stamped_refusal_is_evidence_too(instance: RunningInstance) -> None:
    message_id, _ = call(instance, client=WITHOUT_RIGHT)
    files = files_in(download(instance, client=WITHOUT_RIGHT, queryId=message_id))
    assert len(files) == 2
    assert all(verify(each, instance.anchor, Policy(datetime.now(UTC))).valid for each in files.values())


def test_an_id_that_was_used_twice_names_both_calls(instance: RunningInstance) -> None:
    message_id, first = call(instance)
    _, second = call(instance, message_id)
    everything = files_in(download(instance, queryId=message_id))
    rows = instance.entries(CONSUMER, "message_id = ?", message_id)
    assert sorted(everything.values()) == sorted(row["container"] for row in rows)
    assert len(everything) == 4
    for request_id in (first, second):
        wanted = {row["container"] for row in rows if row["request_id"] == request_id}
        assert set(files_in(download(instance, queryId=message_id, requestId=request_id)).values()) == wanted
    status, text = told(download(instance, queryId=message_id, requestOnly="", unique=""))
    assert status == 400
    assert text.startswith("2 messages have this id")
    single = download(instance, queryId=message_id, requestId=second, requestOnly="", unique="")
    assert single.headers["content-type"] == MEDIA_TYPE


def test_a_message_id_becomes_no_path_in_the_zip(instance: RunningInstance) -> None:
    message_id, _ = call(instance, f'../../"{uuid.uuid4()}/x')
    answer = download(instance, queryId=message_id)
    assert all("/" not in name and '"' not in name for name in files_in(answer))
    assert answer.headers["content-disposition"].count('"') == 2


@pytest.mark.parametrize(
    ("left_out", "more", "text"),
    [
        ("queryId", {}, "the parameter queryId is needed once"),
        ("xRoadInstance", {}, "the parameter xRoadInstance is needed once"),
        ("memberClass", {}, "the parameter memberClass is needed once"),
        ("memberCode", {}, "the parameter memberCode is needed once"),
        ("", {"queryId": ""}, "the parameter queryId is needed once"),
        ("", {"subsystemCode": ""}, "the parameter subsystemCode is needed once"),
        ("", {"queryId": ["a", "b"]}, "the parameter queryId is needed once"),
        ("", {"unique": ""}, "unique needs requestOnly or responseOnly"),
        ("", {"requestOnly": "", "responseOnly": ""}, "requestOnly and responseOnly exclude each other"),
    ],
)
def test_a_question_that_is_wrong_is_told_so(
    instance: RunningInstance, left_out: str, more: dict[str, str | list[str]], text: str
) -> None:
    asked: dict[str, str | list[str]] = {**own(), "queryId": "any", **more}
    asked.pop(left_out, None)
    answer = httpx.get(f"{instance.url()}/asic", params=asked, trust_env=False)
    assert told(answer) == (400, text)


def test_an_identifier_that_cannot_be_is_told_so(instance: RunningInstance) -> None:
    assert told(download(instance, queryId="any", memberCode=".."))[0] == 400


def test_only_get_is_answered(instance: RunningInstance) -> None:
    for path in ("asic", "verificationconf"):
        assert told(httpx.post(f"{instance.url()}/{path}", params=own(), trust_env=False)) == (405, "use GET")


def test_what_was_never_logged_is_not_found(instance: RunningInstance) -> None:
    assert told(download(instance, queryId="never-used")) == NOT_FOUND


def test_another_client_s_message_is_not_found(instance: RunningInstance) -> None:
    message_id, request_id = call(instance)
    assert told(download(instance, client=WITHOUT_RIGHT, queryId=message_id)) == NOT_FOUND
    for foreign in ("QROO/MUN/BENITO-JUAREZ", "QROO/EST/SSP/vehiculos"):
        status, text = told(download(instance, client=foreign, queryId=message_id))
        assert (status, text) == (401, f"{foreign} is not registered on this gateway")
    assert told(download(instance, queryId=message_id, requestId=f"{request_id}0")) == NOT_FOUND


def test_verification_needs_nothing_but_what_is_downloaded(instance: RunningInstance) -> None:
    answer = httpx.get(f"{instance.url()}/verificationconf", trust_env=False)
    files = files_in(answer)
    assert list(files) == ["anchor.json", "catalogue.asice"]
    anchor = TrustAnchor.load(files["anchor.json"])
    assert anchor == instance.anchor
    now = datetime.now(UTC)
    verdict, catalogue = verify_catalogue(files["catalogue.asice"], anchor, Policy(now, live=True))
    assert verdict.valid, verdict.failure
    assert catalogue is not None
    assert catalogue.knows_client(ClientId.parse(CLIENT))
    message_id, _ = call(instance)
    for container in files_in(download(instance, queryId=message_id)).values():
        assert verify(container, anchor, Policy(now), catalogue).valid


@pytest.fixture(scope="module")
def listener(instance: RunningInstance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsListener]:
    with listening_over_tls(instance, tmp_path_factory.mktemp("systems")) as started:
        yield started


def test_over_tls_a_system_gets_the_evidence_of_its_own_clients_alone(listener: TlsListener) -> None:
    patrol_cars, others = self_signed("patrol-cars"), self_signed("others")
    listener.register([(patrol_cars, [CLIENT]), (others, [WITHOUT_RIGHT])])
    until(lambda: listener.is_let_in(patrol_cars))
    message_id, _ = call(listener.instance)
    asked = "/asic?" + str(httpx.QueryParams({**own(), "queryId": message_id}))
    assert len(files_in(listener.get(patrol_cars, asked))) == 2
    # Who speaks for another client learns nothing of this one's messages, not even that they are there.
    for query_id in (message_id, "never-used"):
        path = "/asic?" + str(httpx.QueryParams({**own(), "queryId": query_id}))
        assert told(listener.get(others, path)) == (401, f"This information system may not speak for {CLIENT}.")
        # The header of a call gives no right here.
        assert told(listener.get(others, path, client=WITHOUT_RIGHT))[0] == 401
        status, text = told(listener.get(None, path))
        assert status == 401
        assert "not registered" in text
    theirs = "/asic?" + str(httpx.QueryParams({**own(WITHOUT_RIGHT), "queryId": message_id}))
    assert told(listener.get(others, theirs)) == NOT_FOUND


def test_a_setting_switches_both_off(instance: RunningInstance) -> None:
    message_id, _ = call(instance)
    with consumer_settings(instance, first="evidence_download = false\n"):
        for answer in (
            download(instance, queryId=message_id),
            httpx.get(f"{instance.url()}/verificationconf", trust_env=False),
        ):
            status, text = told(answer)
            assert status == 404
            assert "evidence_download" in text
        # Calls go on.
        assert instance.call().status_code == 200
    assert len(files_in(download(instance, queryId=message_id))) == 2


def test_of_an_id_that_was_used_very_often_one_call_is_found_by_its_request_id(instance: RunningInstance) -> None:
    calls = [call(instance, "used by a batch") for _ in range(11)]
    many = told(download(instance, queryId="used by a batch"))
    assert many == (400, "more than 20 messages have this id; add requestId to name one call")
    oldest = download(instance, queryId="used by a batch", requestId=calls[0][1])
    assert len(files_in(oldest)) == 2
