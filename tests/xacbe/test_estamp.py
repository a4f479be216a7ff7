"""`xacbe estamp`: the checks one by one, the message readable, and exit code 0 only for valid evidence."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from estamp.message import Direction
from tests.pki import TestPki
from tests.stamped_exchanges import Exchange, anchor_of, stamp
from xacbe.main import run


@dataclass(frozen=True)
class Files:
    folder: Path
    exchange: Exchange

    @property
    def request(self) -> str:
        return str(self.folder / "request.asice")

    @property
    def response(self) -> str:
        return str(self.folder / "response.asice")

    @property
    def anchor(self) -> str:
        return str(self.folder / "anchor.json")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    files = Files(tmp_path_factory.mktemp("evidence"), Exchange(TestPki()))
    Path(files.request).write_bytes(files.exchange.request)
    Path(files.response).write_bytes(files.exchange.answer)
    Path(files.anchor).write_bytes(files.exchange.anchor.dump())
    return files


def test_valid_evidence_is_told_check_by_check(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estamp", "verify", files.response, "--anchor", files.anchor]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"{files.response}: VALID"
    outcomes = {line.split()[1]: line.split()[0] for line in lines[:-1]}
    assert outcomes["signature-value"] == outcomes["timestamp"] == outcomes["eight-hours"] == "passed"
    assert outcomes["standing"] == "not-checked"


def test_the_verdict_as_json(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estamp", "verify", files.request, "--anchor", files.anchor, "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["valid"], verdict["reason"], verdict["direction"]) == (True, None, "request")
    assert verdict["signer"]["member"] == "QROO/MUN/BENITO-JUAREZ"


def test_a_changed_body_is_not_valid(files: Files, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    changed = tmp_path / "changed.asice"
    changed.write_bytes(files.exchange.answer.replace(b"UTR-123-A", b"UTR-124-A"))
    assert run(["estamp", "verify", str(changed), "--anchor", files.anchor]) == 1
    out = capsys.readouterr().out
    assert "NOT VALID" in out
    assert "not-checked" in out


def test_another_anchor_is_told_by_its_reason(files: Files, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    other = tmp_path / "anchor.json"
    other.write_bytes(anchor_of(TestPki()).dump())
    assert run(["estamp", "verify", files.response, "--anchor", str(other), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["reason"]


def test_a_message_is_shown_for_people(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estamp", "show", files.request]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"GET {files.exchange.target}"
    assert "X-Road-Client: QROO/MUN/BENITO-JUAREZ/patrullas" in out
    assert "QROO/MUN/BENITO-JUAREZ on QROO/MUN/BENITO-JUAREZ/gw1" in out
    assert "Not verified" in err
    assert run(["estamp", "show", files.response]) == 0
    assert '{"placa":"UTR-123-A"}' in capsys.readouterr().out


def test_a_message_is_shown_as_json(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estamp", "show", files.response, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["verified"], shown["status"], shown["direction"]) == (False, 200, "answer")
    assert base64.b64decode(shown["body"]) == files.exchange.answer_body
    roles = {each["role"] for each in shown["certificates"]}
    assert roles == {"signing", "issuing CA", "status responder", "time-stamping"}


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"\x1b[2Jgone\x07", r"\x1b[2Jgone\x07"),
        (b"[bold]markup[/bold]", "[bold]markup[/bold]"),
        (b"\xff\xfe\x00", "[body of 3 bytes, SHA-256 "),
        (b"x" * 5000, "[body of 5000 bytes, SHA-256 "),
    ],
)
def test_a_body_cannot_steer_the_terminal(
    files: Files, capsys: pytest.CaptureFixture[str], tmp_path: Path, body: bytes, shown: str
) -> None:
    pki = files.exchange.pki
    container = stamp(pki, pki.signing, Direction.REQUEST, files.exchange.request_head, body, None)
    file = tmp_path / "odd.asice"
    file.write_bytes(container)
    assert run(["estamp", "show", str(file)]) == 0
    out = capsys.readouterr().out
    assert shown in out
    assert "\x1b" not in out
