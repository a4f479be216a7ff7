"""The demo's ports: as the documentation has them, all different, all moved by one number."""

from xacbe.demo_ports import CONSUMER, HIGHEST_BASE, PROVIDER, Ports


def test_the_ports_are_those_of_the_documentation() -> None:
    ports = Ports()
    of_consumer = (ports.information_systems(CONSUMER), ports.peers(CONSUMER), ports.gateway_management(CONSUMER))
    assert [listener.port for listener in of_consumer] == [8080, 5500, 5588]
    of_provider = (ports.information_systems(PROVIDER), ports.peers(PROVIDER), ports.gateway_management(PROVIDER))
    assert [listener.port for listener in of_provider] == [9080, 6500, 6588]
    assert (ports.registry.port, ports.tsa.port, ports.ocsp.port, ports.vehicles.port) == (4001, 8899, 8888, 9090)


def test_the_base_moves_all_of_them() -> None:
    standard, moved = list(Ports().all()), list(Ports(HIGHEST_BASE).all())
    assert len({listener.port for listener in standard}) == len(standard) == 13
    assert [listener.port - HIGHEST_BASE for listener in moved] == [listener.port for listener in standard]
    assert max(listener.port for listener in moved) == 65535
