"""The registry is away, or somebody offers another catalogue in its place: what gateways go on with, and until when."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.arrangement import publish_another, restart, told, until_logged
from tests.faults.forgery import FalseRegistry, signer_of_gateway, stamped_catalogue
from tests.running_instance import CONSUMER, PROVIDER, RunningInstance, until

GATEWAYS = (CONSUMER, PROVIDER)
OUTDATED = {CONSUMER: "Server.ClientProxy.OutdatedGlobalConf", PROVIDER: "Server.ServerProxy.OutdatedGlobalConf"}


def test_without_a_registry_calls_go_on_also_after_a_restart(instance: RunningInstance) -> None:
    with instance.without("registry"):
        assert instance.call().status_code == 200
        for gateway in GATEWAYS:
            restart(instance, gateway)
        assert instance.call().status_code == 200


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_expired_catalogue_is_worked_with_no_longer(instance: RunningInstance, gateway: str, tmp_path: Path) -> None:
    publish_another(instance)
    current = instance.catalogue_of(gateway)
    # Older than what the registry has, so that its own replaces it later.
    expired = current.model_copy(
        update={"version": current.version - 1, "expires_at": datetime.now(UTC) - timedelta(seconds=1)}
    )
    container = stamped_catalogue(instance, expired, tmp_path)
    with instance.without("registry"):
        instance.stop(gateway)
        (instance.state_of(gateway) / "catalogue.asice").write_bytes(container)
        # It lives, but does not say that it is ready.
        restart(instance, gateway, ready=False)
        answer = instance.call()
        assert told(answer) == (OUTDATED[gateway], "catalogue-expired", gateway)
        assert instance.refusals(gateway, "reason = 'catalogue-expired'")
    until(lambda: instance.catalogue_of(gateway).version >= current.version)
    assert instance.call().status_code == 200
    restart(instance, gateway)


def test_older_expired_and_foreign_catalogues_are_not_taken_over(instance: RunningInstance, tmp_path: Path) -> None:
    publish_another(instance)
    current = instance.catalogue_of(CONSUMER)
    kept = {gateway: (instance.state_of(gateway) / "catalogue.asice").read_bytes() for gateway in GATEWAYS}
    nobody = current.model_copy(update={"members": (), "version": current.version + 1})
    past = datetime.now(UTC) - timedelta(seconds=1)
    offers = {
        "not newer than": stamped_catalogue(instance, nobody.model_copy(update={"version": current.version}), tmp_path),
        f"offers catalogue {current.version - 1}, not newer": stamped_catalogue(
            instance, nobody.model_copy(update={"version": current.version - 1}), tmp_path
        ),
        "catalogue-expired": stamped_catalogue(instance, nobody.model_copy(update={"expires_at": past}), tmp_path),
        "catalogue-foreign-signer": stamped_catalogue(
            instance, nobody, tmp_path, signer_of_gateway(instance, PROVIDER)
        ),
        "container-malformed": stamped_catalogue(instance, nobody, tmp_path).replace(b'"servers":[', b'"Servers":['),
    }
    registry = FalseRegistry(instance)
    with instance.without("registry"), registry.serving():
        for reason, offer in offers.items():
            # Between two offers it says that there is nothing new, after which gateways soon ask again.
            registry.offer, asked = None, registry.asked
            until(lambda asked=asked: registry.asked >= asked + 2 * len(GATEWAYS))  # type: ignore[misc]
            registry.offer = offer
            for gateway in GATEWAYS:
                until_logged(instance, gateway, reason)
                assert instance.catalogue_of(gateway) == current
        assert instance.call().status_code == 200

        # The same server is believed once it offers what the registry could: it was not its TLS that was refused.
        newer = current.model_copy(update={"version": current.version + 1})
        registry.offer = stamped_catalogue(instance, newer, tmp_path)
        for gateway in GATEWAYS:
            until(lambda gateway=gateway: instance.catalogue_of(gateway) == newer)  # type: ignore[misc]
    for gateway in GATEWAYS:
        # Back to what the registry published last, for those who use the instance next.
        instance.stop(gateway)
        (instance.state_of(gateway) / "catalogue.asice").write_bytes(kept[gateway])
        restart(instance, gateway)
    assert instance.call().status_code == 200
