"""Applying registration files: the differences, doing it twice, pruning, and files that cannot be used."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from central_registry.administration import Administration
from central_registry.catalogue_contents import build_catalogue
from central_registry.errors import RegistrationFileError
from central_registry.models import AuditEntry, Certificate, Revision
from central_registry.settings import CatalogueSettings
from estamp.catalogue import Catalogue
from estamp.certificates import fingerprint
from tests.central_registry.a_registry import MEMBERS, apply, issue_authentication, issue_signing


def revision(administration: Administration) -> int:
    with Session(administration.engine) as session:
        return session.scalars(select(Revision.number)).one()


def catalogue(administration: Administration) -> Catalogue:
    with Session(administration.engine) as session:
        return build_catalogue(session, "QROO", 1, datetime.now(UTC), CatalogueSettings())


def test_a_file_applied_again_changes_nothing(administration: Administration, tmp_path: Path) -> None:
    before = revision(administration)
    assert apply(administration, tmp_path) == []
    assert revision(administration) == before


def test_what_is_applied_stands_in_the_catalogue(administration: Administration) -> None:
    published = catalogue(administration)
    assert [member.id for member in published.members] == ["QROO/EST/SSP", "QROO/MUN/BENITO-JUAREZ"]
    assert published.members[0].name == "Secretaría de Seguridad Ciudadana"
    (subsystem,) = published.members[0].subsystems
    assert (subsystem.code, subsystem.name) == ("vehiculos", "Padrón vehicular")
    assert [(each.code, each.title) for each in subsystem.services] == [("placas", "Vehicles by plate number")]
    assert {server.id: (server.address, server.clients) for server in published.servers} == {
        "QROO/EST/SSP/gw2": ("127.0.0.1:6500", ("QROO/EST/SSP/vehiculos",)),
        "QROO/MUN/BENITO-JUAREZ/gw1": (
            "127.0.0.1:5500",
            ("QROO/MUN/BENITO-JUAREZ/patrullas", "QROO/MUN/BENITO-JUAREZ/sin-permiso"),
        ),
    }
    assert len(published.certification_authorities) == 1
    assert len(published.timestamp_authorities) == 1
    assert len(published.status_responders) == 2


def test_each_difference_is_told_and_audited(administration: Administration, tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(MEMBERS.replace("127.0.0.1:6500", "gw2.example:5500").replace('"placas"', '"placas-2"'))
    changes = administration.apply(file, prune=False, dry_run=False)
    assert [(change.action, change.kind, change.name) for change in changes] == [
        ("add", "service", "QROO/EST/SSP/vehiculos/placas-2"),
        ("change", "server", "QROO/EST/SSP/gw2"),
        ("leave", "service", "QROO/EST/SSP/vehiculos/placas"),
    ]
    assert (changes[1].before, changes[1].after) == ({"address": "127.0.0.1:6500"}, {"address": "gw2.example:5500"})
    with Session(administration.engine) as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "change-server")).one()
        assert (entry.subject, entry.before, entry.after) == (changes[1].name, changes[1].before, changes[1].after)
    assert catalogue(administration).servers[0].address == "gw2.example:5500"


def test_a_dry_run_changes_nothing(administration: Administration, tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(MEMBERS.replace("127.0.0.1:6500", "gw2.example:5500"))
    before = revision(administration)
    assert len(administration.apply(file, prune=True, dry_run=True)) == 1
    assert revision(administration) == before
    assert catalogue(administration).servers[0].address == "127.0.0.1:6500"


def test_what_the_file_does_not_name_goes_only_with_prune(administration: Administration, tmp_path: Path) -> None:
    signing, authentication = issue_signing(administration), issue_authentication(administration)
    without_ssp = MEMBERS[: MEMBERS.index('[[members]]\nclass = "EST"')]
    left = apply(administration, tmp_path, without_ssp)
    assert {line.split()[0] for line in left} == {"leave"}
    assert len(catalogue(administration).members) == 2

    removed = apply(administration, tmp_path, without_ssp, prune=True)
    assert removed[0] == "remove hosting QROO/EST/SSP/gw2 hosts QROO/EST/SSP/vehiculos"
    assert removed[-1] == "remove member QROO/EST/SSP"
    assert {line for line in removed if line.startswith("revoke")} == {
        f"revoke certificate {fingerprint(each)}" for each in (signing, authentication)
    }
    published = catalogue(administration)
    assert [member.id for member in published.members] == ["QROO/MUN/BENITO-JUAREZ"]
    assert published.revoked_certificates == {fingerprint(signing), fingerprint(authentication)}
    with Session(administration.engine) as session:
        assert session.get_one(Certificate, fingerprint(signing)).revocation_reason == "cessationOfOperation"


def test_a_pruned_subsystem_is_hosted_no_more(administration: Administration, tmp_path: Path) -> None:
    text = MEMBERS.replace(', { code = "sin-permiso" }', "").replace(', "QROO/MUN/BENITO-JUAREZ/sin-permiso"', "")
    assert apply(administration, tmp_path, text, prune=True) == [
        "remove hosting QROO/MUN/BENITO-JUAREZ/gw1 hosts QROO/MUN/BENITO-JUAREZ/sin-permiso",
        "remove subsystem QROO/MUN/BENITO-JUAREZ/sin-permiso",
    ]
    assert catalogue(administration).servers[1].clients == ("QROO/MUN/BENITO-JUAREZ/patrullas",)


def test_an_order_of_lines_is_no_difference(administration: Administration, tmp_path: Path) -> None:
    _, first, second = MEMBERS.split("[[members]]\n")
    head = MEMBERS.split("[[members]]\n")[0]
    assert apply(administration, tmp_path, f"{head}[[members]]\n{second}[[members]]\n{first}") == []


def line_with(text: str, needle: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if needle in line)


@pytest.mark.parametrize(
    ("old", "new", "key", "says"),
    [
        ('code = "SSP"', 'code = "S_S"', "members[1].code", "only the characters"),
        ('code = "SSP"', 'code = ".."', "members[1].code", "only the characters"),
        ('code = "gw2"', 'code = "gw/2"', "members[1].servers[0].code", "only the characters"),
        ('code = "placas"', 'code = "pla cas"', "members[1].subsystems[0].services[0].code", "only the characters"),
        ('name = "Padrón vehicular"', 'nombre = "Padrón"', "members[1].subsystems[0].nombre", "unknown key"),
        ('address = "127.0.0.1:6500"', 'address = "127.0.0.1"', "members[1].servers[0].address", "host:port"),
        ('address = "127.0.0.1:6500"', 'address = "http://h:1"', "members[1].servers[0].address", "host:port"),
        ('["QROO/EST/SSP/vehiculos"]', '["QROO/EST/SSP/none"]', "members[1].servers[0].clients[0]", "there is no"),
        ('["QROO/EST/SSP/vehiculos"]', '["QROO/EST"]', "members[1].servers[0].clients[0]", "not of the form"),
        ('["QROO/EST/SSP/vehiculos"]', '["X/EST/SSP/a"]', "members[1].servers[0].clients[0]", "not of the instance"),
        ('instance = "QROO"', 'instance = "OTHER"', "instance", "this registry keeps"),
    ],
)
def test_a_bad_file_is_named_with_line_and_key(
    administration: Administration, tmp_path: Path, old: str, new: str, key: str, says: str
) -> None:
    text = MEMBERS.replace(old, new)
    before = revision(administration)
    with pytest.raises(RegistrationFileError) as caught:
        apply(administration, tmp_path, text)
    line = line_with(text, new)
    assert f"members.toml, line {line}: {key}: " in caught.value.message
    assert says in caught.value.message
    assert revision(administration) == before


def test_every_fault_of_a_file_is_told_at_once(administration: Administration, tmp_path: Path) -> None:
    with pytest.raises(RegistrationFileError) as caught:
        apply(administration, tmp_path, MEMBERS.replace('code = "SSP"', 'code = "S_P"').replace(":5500", ""))
    assert caught.value.message.count("line ") == 2


def test_a_member_named_twice_is_refused(administration: Administration, tmp_path: Path) -> None:
    with pytest.raises(RegistrationFileError) as caught:
        apply(administration, tmp_path, MEMBERS + '[[members]]\nclass = "EST"\ncode = "SSP"\nname = "Again"\n')
    assert "members[2].code: 'EST/SSP' stands there twice" in caught.value.message


def test_what_is_not_toml_is_refused_with_its_place(administration: Administration, tmp_path: Path) -> None:
    with pytest.raises(RegistrationFileError) as caught:
        apply(administration, tmp_path, "instance = \n")
    assert caught.value.reason == "registration-file-malformed"
    assert "line 1" in caught.value.message
