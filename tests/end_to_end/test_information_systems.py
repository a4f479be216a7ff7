"""Information systems elsewhere: mTLS with certificates registered one by one, each for its own clients."""

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.registered_systems import CALL, HOST_NAME, TlsListener, issued_by, listening_over_tls, self_signed
from tests.running_instance import CLIENT, CONSUMER, PROVIDER, WITHOUT_RIGHT, RunningInstance, until

MEMBER = "QROO/MUN/BENITO-JUAREZ"
TAKEN_OVER_SECONDS = 4.0
"""The gateway looks once a second; the rest is for a busy machine."""

REFUSED_IN_TLS = r"(?i)disconnected|alert|EOF"
"""What a client is told whose handshake the gateway ends; with uvloop the connection closes without an alert."""

PATROL_CARS, WHOLE_MEMBER, AUTHORITY = (
    self_signed("patrol-cars"),
    self_signed("whole-member"),
    self_signed("authority", authority=True),
)
USUAL = ((PATROL_CARS, [CLIENT]), (WHOLE_MEMBER, [f"{MEMBER}/*"]), (AUTHORITY, [CLIENT]))


@pytest.fixture(scope="module")
def started(instance: RunningInstance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsListener]:
    with listening_over_tls(instance, tmp_path_factory.mktemp("systems")) as listener:
        yield listener


@pytest.fixture
def listener(started: TlsListener) -> TlsListener:
    """The listener with the usual systems registered, whatever the test before left."""
    started.register(USUAL)
    until(lambda: all(started.is_let_in(system) for system, _ in USUAL))
    return started


def refusal(answer: httpx.Response) -> tuple[int, str, str, str]:
    told = answer.json()
    assert answer.headers["x-road-error"] == told["type"]
    assert told["advice"]
    return answer.status_code, told["type"], told["reason"], told["place"]


def refused(reason: str) -> tuple[int, str, str, str]:
    return 500, "Server.ClientProxy.SslAuthenticationFailed", reason, "consumer gateway"


def test_a_registered_system_gets_the_answer(listener: TlsListener) -> None:
    answer = listener.get(PATROL_CARS)
    assert answer.status_code == 200
    assert answer.json()["placa"] == "UTR-123-A"


def test_a_system_speaks_for_its_own_clients_alone_and_nothing_is_sent(listener: TlsListener) -> None:
    before = len(listener.instance.entries(PROVIDER))
    known = len(listener.instance.refusals(CONSUMER, "reason = 'client-not-allowed'"))
    assert refusal(listener.get(PATROL_CARS, client=WITHOUT_RIGHT)) == refused("client-not-allowed")
    assert len(listener.instance.entries(PROVIDER)) == before
    until(lambda: len(listener.instance.refusals(CONSUMER, "reason = 'client-not-allowed'")) == known + 1)


def test_a_star_stands_for_all_subsystems_of_the_member(listener: TlsListener) -> None:
    assert listener.get(WHOLE_MEMBER).status_code == 200
    # Let through here, and refused by the provider: this client has no right to the service.
    other = listener.get(WHOLE_MEMBER, client=WITHOUT_RIGHT)
    assert other.headers["x-road-error"] == "Server.ServerProxy.AccessDenied"


@pytest.mark.parametrize(
    "client", [MEMBER, f"{MEMBER}-2/patrullas", "QROO/MUN/OTHER/patrullas", "QROO/EST/SSP/vehiculos"]
)
def test_a_star_stands_for_nobody_else(listener: TlsListener, client: str) -> None:
    assert refusal(listener.get(WHOLE_MEMBER, client=client)) == refused("client-not-allowed")


def test_without_a_certificate_a_fault_says_what_is_missing(listener: TlsListener) -> None:
    assert refusal(listener.get(None)) == refused("certificate-not-registered")


def test_a_certificate_that_nobody_registered_ends_the_handshake(listener: TlsListener) -> None:
    with pytest.raises(httpx.TransportError, match=REFUSED_IN_TLS):
        listener.get(self_signed("stranger"))


def test_a_certificate_of_the_same_name_with_another_key_ends_the_handshake(listener: TlsListener) -> None:
    with pytest.raises(httpx.TransportError, match=REFUSED_IN_TLS):
        listener.get(self_signed("patrol-cars"))


def test_what_a_registered_certificate_issued_is_not_registered(listener: TlsListener) -> None:
    # TLS itself lets it in, because it trusts the issuer.
    assert refusal(listener.get(issued_by(AUTHORITY, "issued"))) == refused("certificate-not-registered")


def test_the_instance_s_own_certificates_are_none_of_an_information_system(listener: TlsListener) -> None:
    state = listener.instance.state_of(CONSUMER)
    context = listener.context(None)
    context.load_cert_chain(state / "authentication.pem", state / "authentication.key")
    with (
        httpx.Client(verify=context, trust_env=False) as gateway,
        pytest.raises(httpx.TransportError, match=REFUSED_IN_TLS),
    ):
        gateway.get(f"{listener.url}{CALL}", extensions={"sni_hostname": HOST_NAME})


def test_older_tls_is_refused(listener: TlsListener) -> None:
    context = listener.context(PATROL_CARS)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with httpx.Client(verify=context, trust_env=False) as old, pytest.raises(httpx.ConnectError, match=REFUSED_IN_TLS):
        old.get(f"{listener.url}{CALL}", extensions={"sni_hostname": HOST_NAME})


def test_registration_takes_effect_while_serving(listener: TlsListener) -> None:
    new = self_signed("new")
    assert not listener.is_let_in(new)
    listener.register([*USUAL, (new, [CLIENT])])
    until(lambda: listener.is_let_in(new), TAKEN_OVER_SECONDS)


def test_a_renewed_certificate_of_the_same_name_works_beside_the_old_one(listener: TlsListener) -> None:
    renewed = self_signed("patrol-cars")
    listener.register([*USUAL, (renewed, [CLIENT])])
    until(lambda: listener.is_let_in(renewed), TAKEN_OVER_SECONDS)
    assert listener.is_let_in(PATROL_CARS)


def test_removal_takes_effect_while_serving_also_on_an_open_connection(listener: TlsListener) -> None:
    connection = listener.connect(PATROL_CARS)

    def ask() -> tuple[int, dict[str, str]]:
        connection.request("GET", CALL, headers={"X-Road-Client": CLIENT})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    assert ask()[0] == 200
    listener.register([each for each in USUAL if each[0] is not PATROL_CARS])
    until(lambda: ask()[0] == 500, TAKEN_OVER_SECONDS)
    assert ask()[1]["reason"] == "certificate-not-registered"
    # Trust in TLS ends with the process; until then each request is refused.
    assert refusal(listener.get(PATROL_CARS)) == refused("certificate-not-registered")
    connection.close()


def test_a_change_of_its_clients_takes_effect_while_serving(listener: TlsListener) -> None:
    listener.register([(PATROL_CARS, [WITHOUT_RIGHT])])
    until(lambda: not listener.is_let_in(PATROL_CARS), TAKEN_OVER_SECONDS)
    assert refusal(listener.get(PATROL_CARS)) == refused("client-not-allowed")
    allowed = listener.get(PATROL_CARS, client=WITHOUT_RIGHT)
    assert allowed.headers["x-road-error"] == "Server.ServerProxy.AccessDenied"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.77.55.13", "gateway.example"])
def test_plain_http_is_refused_where_others_could_reach_it(instance: RunningInstance, host: str) -> None:
    name = "XACBE_GATEWAY__LISTENERS__INFORMATION_SYSTEMS_HTTP__HOST"
    settings = instance.state_of(CONSUMER).parent / "gateway.toml"
    done = subprocess.run(
        [sys.executable, "-m", "xacbe", "gateway", "serve", "--config", str(settings)],
        env={**os.environ, name: host},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert name in done.stderr
    assert "information_systems_https" in done.stderr
