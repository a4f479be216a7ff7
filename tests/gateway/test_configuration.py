"""Services, access rights and information systems: reading them, replacing them, and what differs."""

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from estamp.identifiers import ClientId, ServiceId
from gateway.base_url import normal_base_url
from gateway.configuration import Configuration, ConfigurationStore, InformationSystem, Service
from gateway.configuration_changes import changes_between
from gateway.errors import ConfigurationError
from service_runtime.database import migrate, open_engine

PLACAS = ServiceId.parse("QROO/EST/SSP/vehiculos/placas")
PATRULLAS = ClientId.parse("QROO/MUN/BENITO-JUAREZ/patrullas")
SYSTEM = InformationSystem("ab" * 32, b"der", "Dispatch", frozenset({"QROO/EST/SSP/*", "QROO/MUN/X"}))


def placas(**changes: object) -> Service:
    values = {"id": PLACAS, "base_url": "http://127.0.0.1:9000", "allowed": frozenset({PATRULLAS})}
    return Service(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.sqlite3"
    migrate(open_engine(f"sqlite:///{path}"), "gateway")
    return path


@pytest.fixture
def store(database: Path) -> ConfigurationStore:
    return ConfigurationStore(open_engine(f"sqlite:///{database}", busy_timeout_seconds=0.2))


def test_nothing_is_configured_and_nothing_allowed_at_first(store: ConfigurationStore) -> None:
    assert store.current == Configuration.of([], [], 0)
    assert not store.current.may_call(PATRULLAS, PLACAS)
    assert not store.current.may_speak_for("ab" * 32, PATRULLAS)


def test_what_is_set_comes_back(store: ConfigurationStore) -> None:
    wanted = Configuration.of([placas(title="Vehículos", timeout_seconds=2.5)], [SYSTEM])
    assert store.replace(wanted, instead_of=store.load()) == 1
    loaded = store.load()
    assert (loaded.services, loaded.information_systems, loaded.revision) == (
        wanted.services,
        wanted.information_systems,
        1,
    )


def test_replacing_takes_away_what_is_not_named(store: ConfigurationStore, database: Path) -> None:
    store.replace(Configuration.of([placas()], [SYSTEM]), instead_of=store.load())
    store.replace(Configuration.of([], []), instead_of=store.load())
    with sqlite3.connect(database) as connection:
        for table in ("service", "access_right", "information_system", "information_system_client"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_snapshot_stays_and_refresh_brings_the_next(store: ConfigurationStore, database: Path) -> None:
    before = store.current
    assert not store.refresh()
    other = ConfigurationStore(open_engine(f"sqlite:///{database}"))
    other.replace(Configuration.of([placas()], []), instead_of=other.load())
    assert store.current is before
    assert store.refresh()
    assert store.current.may_call(PATRULLAS, PLACAS)
    assert not before.may_call(PATRULLAS, PLACAS)


def test_of_two_who_saw_the_same_state_one_may_change_it(store: ConfigurationStore, database: Path) -> None:
    seen = store.load()
    outcomes: list[object] = []

    def replace(title: str) -> None:
        own = ConfigurationStore(open_engine(f"sqlite:///{database}"))
        try:
            outcomes.append(own.replace(Configuration.of([placas(title=title)], []), instead_of=seen))
        except ConfigurationError as error:
            outcomes.append(error.reason)

    threads = [threading.Thread(target=replace, args=(f"title {n}",)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["1", *["configuration-changed"] * 4]
    assert store.load().revision == 1


def test_failed_change_leaves_everything_as_it_was(store: ConfigurationStore, database: Path) -> None:
    store.replace(Configuration.of([placas()], []), instead_of=store.load())
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    before = store.load()  # reading does not wait for a writer
    with pytest.raises(OperationalError):
        store.replace(Configuration.of([], []), instead_of=before)
    other.execute("ROLLBACK")
    other.close()
    assert store.load() == before


def test_rights_are_for_exactly_the_named_subsystem() -> None:
    configuration = Configuration.of([placas()], [])
    assert configuration.may_call(PATRULLAS, PLACAS)
    for client in ("QROO/MUN/BENITO-JUAREZ", "QROO/MUN/BENITO-JUAREZ/Patrullas", "YUC/MUN/BENITO-JUAREZ/patrullas"):
        assert not configuration.may_call(ClientId.parse(client), PLACAS)
    assert not configuration.may_call(PATRULLAS, ServiceId.parse("QROO/EST/SSP/vehiculos/otra"))
    assert configuration.services_of(PLACAS.provider) == (placas(),)
    assert configuration.services_of(PATRULLAS) == ()


@pytest.mark.parametrize(
    ("client", "allowed"),
    [
        ("QROO/EST/SSP/vehiculos", True),
        ("QROO/EST/SSP/anything", True),
        ("QROO/EST/SSP", False),
        ("QROO/EST/SSPX/vehiculos", False),
        ("QROO/MUN/X", True),
        ("QROO/MUN/X/sub", False),
    ],
)
def test_information_system_speaks_for_its_clients_only(client: str, allowed: bool) -> None:
    configuration = Configuration.of([], [SYSTEM])
    assert configuration.may_speak_for(SYSTEM.fingerprint, ClientId.parse(client)) is allowed
    assert not configuration.may_speak_for("cd" * 32, ClientId.parse(client))


def test_changes_name_what_is_added_changed_and_removed() -> None:
    other = ServiceId.parse("QROO/EST/SSP/vehiculos/otra")
    old = Configuration.of([placas(), placas(id=other)], [])
    new = Configuration.of([placas(timeout_seconds=5.0, allowed=frozenset())], [SYSTEM])
    changes = changes_between(old, new)
    assert [(each.action, each.kind, each.name) for each in changes] == [
        ("remove", "service", str(other)),
        ("change", "service", str(PLACAS)),
        ("add", "information system", SYSTEM.fingerprint),
    ]
    assert changes[1].before == {"timeout_seconds": 30.0, "allowed": [str(PATRULLAS)]}
    assert changes[1].after == {"timeout_seconds": 5.0, "allowed": []}
    assert changes_between(new, new) == []


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("HTTP://Example.GOB.mx:80/api/", "http://example.gob.mx:80/api"),
        ("https://10.0.0.1", "https://10.0.0.1"),
        ("http://[::1]:9000/", "http://[::1]:9000"),
        ("http://host/a%20b/c;v=1", "http://host/a%20b/c;v=1"),
        ("http://host/a...b/.well-known", "http://host/a...b/.well-known"),
    ],
)
def test_base_url_has_one_form(given: str, normal: str) -> None:
    assert normal_base_url(given) == normal
    assert normal_base_url(normal) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host/path",
        "ftp://host",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://user@host",
        "http://user:secret@host",
        "http://@host",
        "http://host?",
        "http://host/?a=1",
        "http://host/#f",
        "http://host:0",
        "http://host:",
        "http://host:70000",
        "http://host:x",
        "http://host/a/../b",
        "http://host/./b",
        "http://host/%2e%2E/b",
        "http://host/.%2e",
        "http://host/a%2fb",
        "http://host/a%5cb",
        "http://host/a%0d%0ab",
        "http://host/a%00",
        "http://host/a%7f",
        "http://host/a%zz",
        "http://host/a%2",
        "http://host/a b",
        "http://host/a\\b",
        "http://host/a\r\nX: y",
        "http://host//b",
        "http://host/b//",
        "http://hóst/",
        "http://ho st",
        "http://[::1",
        "http://[v1.x]/",
        "http://[fe80::1%25eth0]/",
        "http://-host",
        " http://host",
        "http://host/" + "a" * 2000,
    ],
)
def test_base_url_that_could_lead_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        normal_base_url(text)
