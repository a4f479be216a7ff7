"""`xacbe registry …` as a person runs it: output, exit codes, and errors that say what to do."""

import json
import socket
import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from central_registry.revocation import REASONS
from central_registry.state_folder import StateFolder
from estamp.anchor import TrustAnchor
from estamp.certificates import fingerprint, load_certificate, signer_of
from tests.central_registry.a_registry import MEMBER, MEMBERS, SERVER, signing_request, write_settings
from tests.central_registry.running_instance import command
from tests.pki import new_key
from xacbe import registry as registry_command


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The settings of a registry that was made by the command."""
    config = write_settings(tmp_path)
    made = command("init", config=config)
    assert made.returncode == 0, made.stderr
    return config


@pytest.fixture
def with_members(config: Path, tmp_path: Path) -> Path:
    """The settings of a registry that has members."""
    (tmp_path / "members.toml").write_text(MEMBERS)
    assert command("apply", str(tmp_path / "members.toml"), config=config).returncode == 0
    return config


def test_init_tells_the_fingerprint_and_does_it_once(config: Path, tmp_path: Path) -> None:
    anchor = TrustAnchor.load((tmp_path / "state" / "anchor.json").read_bytes())
    printed = command("anchor", "--out", str(tmp_path / "copy.json"), config=config)
    assert printed.stdout.strip() == anchor.fingerprint
    assert (tmp_path / "copy.json").read_bytes() == anchor.dump()
    assert command("anchor", config=config).stdout.encode() == anchor.dump()
    again = command("init", config=config)
    assert again.returncode == 3
    assert "registry-exists" in again.stderr
    assert "Traceback" not in again.stderr


def test_init_encrypts_the_roots_key(tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("of the root\n")
    secret.chmod(0o600)
    config = write_settings(tmp_path)
    assert command("init", "--root-passphrase-file", str(secret), config=config).returncode == 0
    load_pem_private_key((StateFolder(tmp_path / "state").root / "key.pem").read_bytes(), b"of the root")


def test_apply_shows_what_it_changes(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "members.toml"
    file.write_text(MEMBERS)
    trial = command("apply", str(file), "--dry-run", config=config)
    assert "+  member  QROO/EST/SSP" in trial.stderr
    assert "nothing was (dry run)" in trial.stderr
    done = command("apply", str(file), "--json", config=config)
    changes = json.loads(done.stdout)["changes"]
    assert {"add"} == {change["action"] for change in changes}
    assert len(changes) == 11
    again = command("apply", str(file), config=config)
    assert (again.returncode, again.stdout) == (0, "")
    assert "Nothing changed" in again.stderr
    file.write_text(MEMBERS.replace('code = "SSP"', 'code = "S S"'))
    line = MEMBERS.splitlines().index('code = "SSP"') + 1
    bad = command("apply", str(file), config=config)
    assert bad.returncode == 1
    assert f"{file}, line {line}: members[1].code: only the characters" in bad.stderr


def test_issue_and_revoke(with_members: Path, tmp_path: Path) -> None:
    request, out, chain = tmp_path / "a.csr", tmp_path / "a.pem", tmp_path / "chain.pem"
    request.write_bytes(signing_request())
    arguments = ["--kind", "signing", "--server", str(SERVER), "--member", str(MEMBER)]
    issued = command("issue", str(request), *arguments, "--out", str(out), "--chain", str(chain), config=with_members)
    assert issued.returncode == 0, issued.stderr
    certificate = load_certificate(out.read_bytes())
    assert issued.stdout.strip() == fingerprint(certificate)
    assert signer_of(certificate).member == MEMBER
    assert chain.read_bytes().startswith(out.read_bytes())
    assert chain.read_bytes().count(b"BEGIN CERTIFICATE") == 2

    assert command("issue", str(request), *arguments, "--out", str(out), config=with_members).returncode == 2
    # By the certificate's own file, and by the file that a gateway installs, which holds the issuing CA's too.
    for file, changed in ((out, True), (chain, False)):
        told = command("revoke", str(file), "--reason", "keycompromise", "--json", config=with_members)
        assert told.returncode == 0, told.stderr
        assert json.loads(told.stdout)["changed"] is changed
        assert json.loads(told.stdout)["reason"] == "keyCompromise"


def test_a_refused_request_exits_with_1_and_writes_nothing(with_members: Path, tmp_path: Path) -> None:
    request, out = tmp_path / "a.csr", tmp_path / "a.pem"
    request.write_bytes(signing_request(new_key("rsa-1024")))
    refused = command(
        "issue",
        str(request),
        "--kind",
        "authentication",
        "--server",
        str(SERVER),
        "--out",
        str(out),
        config=with_members,
    )
    assert refused.returncode == 1
    assert "request-key-weak" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not out.exists()


def test_suspend_and_unsuspend(with_members: Path) -> None:
    assert command("suspend", "member", str(MEMBER), "--reason", "breach", config=with_members).returncode == 0
    assert command("suspend", "server", str(SERVER), "--reason", "breach", config=with_members).returncode == 0
    assert command("unsuspend", "member", str(MEMBER), config=with_members).returncode == 0
    unknown = command("unsuspend", "server", f"{SERVER}x", config=with_members)
    assert unknown.returncode == 1
    assert "unknown-server" in unknown.stderr


def test_commands_without_a_registry_name_init(tmp_path: Path) -> None:
    config = write_settings(tmp_path)
    for arguments in (["anchor"], ["serve"], ["revoke", "00", "--reason", "superseded"], ["catalogue", "show"]):
        told = command(*arguments, config=config)
        assert told.returncode == 3, arguments
        assert "xacbe registry init" in told.stderr


def test_serve_refuses_a_database_that_is_not_migrated(config: Path, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state" / "registry.sqlite") as connection:
        connection.execute("DELETE FROM alembic_version")
    told = command("serve", config=config)
    assert told.returncode == 3
    assert "xacbe registry migrate" in told.stderr


def test_migrating_a_current_database_changes_nothing(config: Path) -> None:
    assert command("migrate", config=config).returncode == 0


def test_serve_names_a_busy_port_and_the_setting_that_moves_it(config: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = config.read_text()
        config.write_text(text.replace('host = "127.0.0.1"\nport = 0', f'host = "127.0.0.1"\nport = {port}'))
        told = command("serve", config=config)
    assert told.returncode == 3
    assert str(port) in told.stderr
    assert "listen.port" in told.stderr


def test_serve_refuses_keys_that_others_may_read(config: Path, tmp_path: Path) -> None:
    (tmp_path / "state" / "tls" / "key.pem").chmod(0o640)
    told = command("serve", config=config)
    assert told.returncode == 3
    assert "chmod 600" in told.stderr


def test_serve_never_opens_the_roots_folder(config: Path, tmp_path: Path) -> None:
    """With the root away, serve gets as far as the busy port."""
    (tmp_path / "state" / "root").rename(tmp_path / "in the safe")
    test_serve_names_a_busy_port_and_the_setting_that_moves_it(config)


def test_the_reasons_in_the_help_are_those_that_are_accepted() -> None:
    assert registry_command.REASONS == REASONS


def test_a_database_that_is_held_is_told_without_sql(with_members: Path, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state" / "registry.sqlite", isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        told = command("suspend", "member", str(MEMBER), "--reason", "breach", config=with_members)
        holder.execute("ROLLBACK")
    assert told.returncode == 3
    assert "database-busy-or-unreachable" in told.stderr
    for inside in ("Traceback", "BEGIN", "UPDATE", "sqlalche.me"):
        assert inside not in told.stderr
