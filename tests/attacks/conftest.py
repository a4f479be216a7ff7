"""The arrangement that the attacks share: one running instance, further members in it, and hostile parties."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.attacks.further_members import (
    GUEST,
    GUEST_CLIENT,
    THIRD,
    THIRD_CLIENT,
    THIRD_SERVER,
    THROWAWAY,
    THROWAWAY_CLIENT,
    THROWAWAY_SERVER,
    FurtherMembers,
)
from tests.attacks.hostile_consumer import HostileConsumer
from tests.attacks.hostile_provider import HostileProvider
from tests.attacks.instance_keys import InstanceKeys
from tests.echo_service import EchoService, echo_service
from tests.running_instance import CLIENT, CONSUMER, PROVIDER, RunningInstance, until
from xacbe.demo_files import MEMBERS, SERVERS, gateway_configuration


@dataclass(frozen=True)
class Scene:
    """All parties. `consumer` has the consumer gateway's keys; `third`, `guest` and `throwaway` have their own.

    `guest` signs as a member whose subsystem the third member's server hosts. `provider` is the third member's
    gateway, at which the consumer's asks. `held` is a service's socket at which nobody answers by himself.
    """

    instance: RunningInstance
    keys: InstanceKeys
    members: FurtherMembers
    service: EchoService
    held: socket.socket
    consumer: HostileConsumer
    third: HostileConsumer
    guest: HostileConsumer
    throwaway: HostileConsumer
    provider: HostileProvider


@pytest.fixture(scope="session")
def scene(instance: RunningInstance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The arrangement; the instance is left as it was found."""
    folder = tmp_path_factory.mktemp("attacks")
    keys = InstanceKeys(instance)
    members = FurtherMembers(instance, keys, folder)
    provider = HostileProvider(keys, folder)
    with echo_service() as service, socket.create_server(("127.0.0.1", 0)) as held, provider.running():
        _offer(instance, service, held)
        members.enrol(provider.port)
        try:
            yield _scene(instance, keys, members, service, held, provider, folder)
        finally:
            members.remove()
            instance.apply(PROVIDER, gateway_configuration(PROVIDER, instance.ports))


def _offer(instance: RunningInstance, service: EchoService, held: socket.socket) -> None:
    """Have the provider's gateway offer the services that these tests control."""
    instance.apply(
        PROVIDER,
        f"""{gateway_configuration(PROVIDER, instance.ports)}
[[services]]
subsystem = "QROO/EST/SSP/vehiculos"
code = "espejo"
title = "Records what reaches it"
base_url = "{service.url}/espejo"
timeout_seconds = 10.0
allowed = ["{CLIENT}", "{THIRD_CLIENT}", "{GUEST_CLIENT}", "{THROWAWAY_CLIENT}"]

[[services]]
subsystem = "QROO/EST/SSP/vehiculos"
code = "lento"
title = "Answers when a test wants"
base_url = "http://127.0.0.1:{held.getsockname()[1]}"
timeout_seconds = 20.0
allowed = ["{CLIENT}"]
""",
    )


def _scene(
    instance: RunningInstance,
    keys: InstanceKeys,
    members: FurtherMembers,
    service: EchoService,
    held: socket.socket,
    provider: HostileProvider,
    folder: Path,
) -> Scene:
    state = instance.state_of(CONSUMER)
    signing = "signing_" + MEMBERS[CONSUMER].partition("/")[2].replace("/", "_")
    consumer = HostileConsumer(
        instance,
        keys,
        service,
        folder,
        SERVERS[CONSUMER],
        CLIENT,
        keys.of_gateway(state, "authentication"),
        keys.of_gateway(state, signing),
    )
    third = replace(
        consumer,
        server=THIRD_SERVER,
        client=THIRD_CLIENT,
        authentication=members.issue(THIRD_SERVER),
        signing=members.issue(THIRD_SERVER, THIRD),
    )
    throwaway = replace(
        consumer,
        server=THROWAWAY_SERVER,
        client=THROWAWAY_CLIENT,
        authentication=members.issue(THROWAWAY_SERVER),
        signing=members.issue(THROWAWAY_SERVER, THROWAWAY),
    )
    provider.shown, provider.signing = third.authentication, third.signing
    servers = (third.server, throwaway.server)
    members.wait_for(
        lambda catalogue: {each.id for each in catalogue.servers if each.authentication_certificates} >= set(servers)
    )
    # The gateway takes its new services over within a second, and has been asked to before all of the above.
    until(lambda: consumer.send(consumer.request().container()).stamped(instance.anchor)[0].status == 200)
    return Scene(
        instance,
        keys,
        members,
        service,
        held,
        consumer,
        third,
        replace(third, client=GUEST_CLIENT, signing=members.issue(THIRD_SERVER, GUEST)),
        throwaway,
        provider,
    )
