"""`xacbe demo`: what it shows works as shown, it names what is in its way, and it leaves nothing running."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from member_sdk import AccessDenied, Gateway
from tests.requirements_of_tests import require_tool
from tests.xacbe.running_demo import RunningDemo, curl_lines, free_ports, running_demo
from xacbe.demo_files import CLIENT, SERVICE, WITHOUT_RIGHT
from xacbe.demo_ports import CONSUMER

EVIDENCE = {
    "request.asice",
    "response.asice",
    "issuing-ca.pem",
    "root-ca.pem",
    "tsa.pem",
    "ocsp.pem",
    "anchor.json",
    "catalogue.asice",
}


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=20)
    return not alive


def xacbe(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "xacbe", *arguments], cwd=root, capture_output=True, text=True, timeout=100, check=False
    )


def test_once_shows_the_answer_and_valid_evidence_and_leaves_nothing_but_it(project_root: Path, tmp_path: Path) -> None:
    ports = free_ports()
    done = subprocess.run(
        [sys.executable, "-m", "xacbe", "demo", "--once", "--port-base", str(ports.base)],
        cwd=project_root,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"placa": "UTR-123-A"' in done.stdout
    for line in ("request: VALID", "answer: VALID", "exchange: VALID"):
        assert line in done.stdout.splitlines()
    assert "failed" not in done.stdout
    assert "NOT A PRODUCTION SET-UP" in done.stderr
    (folder,) = tmp_path.glob("xacbe-demo-*")
    assert f"It lies in {folder / 'evidence'}" in done.stdout
    assert {entry.name for entry in folder.iterdir()} == {"evidence"}
    assert {entry.name for entry in (folder / "evidence").iterdir()} == EVIDENCE
    ports.require_free()


def test_the_evidence_verifies_with_the_command_that_was_printed(demo: RunningDemo, project_root: Path) -> None:
    commands = [line.strip() for line in demo.output.splitlines() if line.strip().startswith("xacbe estamp verify")]
    assert len(commands) == 2
    for command in commands:
        arguments = shlex.split(command)[1:]
        done = xacbe(project_root, *arguments, "--catalogue", str(demo.evidence / "catalogue.asice"), "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["valid"] is True


def test_the_curl_lines_do_what_is_said_of_them(demo: RunningDemo) -> None:
    require_tool("curl")
    allowed, refused = (
        subprocess.run(shlex.split(line), capture_output=True, text=True, timeout=30, check=True).stdout
        for line in curl_lines(demo.output)
    )
    assert allowed.startswith("HTTP/1.1 200")
    assert '"placa": "UTR-123-A"' in allowed
    assert refused.startswith("HTTP/1.1 500")
    assert "x-road-error: server.serverproxy.accessdenied" in refused.lower()
    assert '"reason": "access-denied"' in refused


def test_the_readmes_curl_lines_get_what_the_readme_says(demo: RunningDemo, project_root: Path) -> None:
    require_tool("curl")
    readme = (project_root / "README.md").read_text(encoding="utf-8")
    lines = [line.replace("http://127.0.0.1:8080", demo.gateway) for line in curl_lines(readme)]
    assert len(lines) == 2
    answers = [
        subprocess.run(shlex.split(line), capture_output=True, text=True, timeout=30, check=True).stdout
        for line in lines
    ]
    assert [answer.split()[1] for answer in answers] == ["200", "500"]
    shown = readme.split("## What the answer means")[1].split("```")[1]
    names = [line.split(":")[0] for line in shown.strip().splitlines() if line.startswith("x-road-")]
    assert names
    for name in names:
        assert f"\n{name}: " in answers[0].lower()


def test_the_sdk_gets_answers_refusals_and_evidence(demo: RunningDemo) -> None:
    with Gateway(demo.gateway, CLIENT) as gateway:
        answer = gateway.call(SERVICE, query="estado=robado")
        assert answer.json()["total"] > 1
        verdict = answer.evidence().verify(demo.evidence / "anchor.json")
        assert verdict.valid, verdict.to_json()
        missing = gateway.call(SERVICE, "ZZZ-000-Z")
        assert (missing.status_code, missing.service_error) == (404, True)
        assert missing.evidence().verify(demo.evidence / "anchor.json").valid
        same_id = [gateway.call(SERVICE, "UTR-123-A", message_id="expediente-7") for _ in range(2)]
        assert all(each.evidence().verify(demo.evidence / "anchor.json").valid for each in same_id)
    with Gateway(demo.gateway, WITHOUT_RIGHT) as gateway, pytest.raises(AccessDenied) as refused:
        gateway.call(SERVICE, "UTR-123-A")
    assert (refused.value.type, refused.value.reason) == ("Server.ServerProxy.AccessDenied", "access-denied")
    assert refused.value.place
    assert refused.value.advice


def test_the_ten_line_script_runs_with_the_light_install_alone(demo: RunningDemo, project_root: Path) -> None:
    servers = [
        "aiohttp",
        "alembic",
        "fastapi",
        "httptools",
        "prometheus_client",
        "sqlalchemy",
        "starlette",
        "structlog",
    ]
    # None in sys.modules makes an import fail as if the library were not installed.
    hidden = f"import runpy, sys; sys.modules.update(dict.fromkeys({[*servers, 'uvicorn', 'uvloop', 'OpenSSL']!r}));"
    script = f"{hidden} runpy.run_path('examples/ask_for_a_plate.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", script, demo.gateway, str(demo.evidence / "anchor.json")],
        cwd=project_root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "'placa': 'UTR-123-A'" in done.stdout
    assert done.stdout.endswith("evidence valid: True\n")


def test_the_tutorial_shows_that_very_script(project_root: Path) -> None:
    script = (project_root / "examples" / "ask_for_a_plate.py").read_text(encoding="utf-8")
    tutorial = (project_root / "docs" / "tutorial" / "first-exchange.md").read_text(encoding="utf-8")
    assert script.split('"""')[-1].strip() in tutorial


def test_a_call_from_the_command_line_leaves_verified_evidence(
    demo: RunningDemo, project_root: Path, tmp_path: Path
) -> None:
    arguments = ["call", SERVICE, "-p", "UTR-123-A", "--client", CLIENT, "--gateway", demo.gateway]
    arguments += ["--evidence", str(tmp_path), "--anchor", str(demo.evidence / "anchor.json")]
    done = xacbe(project_root, *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["placa"] == "UTR-123-A"
    assert "exchange: VALID" in done.stderr
    assert (tmp_path / "response.asice").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_every_process(project_root: Path, tmp_path: Path, number: signal.Signals) -> None:
    with running_demo(project_root, tmp_path) as demo:
        children = demo.children()
        assert len(children) == 6
        demo.process.send_signal(number)
        assert demo.process.wait(30) == 0
        assert gone(children)
        demo.ports.require_free()


def test_nothing_stays_behind_when_the_demo_itself_is_killed(project_root: Path, tmp_path: Path) -> None:
    with running_demo(project_root, tmp_path) as demo:
        children = demo.children()
        demo.process.kill()
        assert gone(children)


def test_a_process_that_dies_is_told_with_its_last_words(project_root: Path, tmp_path: Path) -> None:
    with running_demo(project_root, tmp_path) as demo:
        children = demo.children()
        (tsa,) = [child for child in children if "tsa" in child.cmdline()]
        tsa.kill()
        assert demo.process.wait(40) == 3
        assert demo.process.stderr is not None
        said = demo.process.stderr.read()
        assert "The process 'tsa' was ended by signal 9" in said
        assert "Traceback" not in said
        assert gone(children)


def test_a_busy_port_is_named_with_the_option_that_moves_it(project_root: Path) -> None:
    ports = free_ports()
    with socket.create_server(("127.0.0.1", ports.peers(CONSUMER).port)):
        began = time.monotonic()
        done = xacbe(project_root, "demo", "--once", "--port-base", str(ports.base))
    assert time.monotonic() - began < 5
    assert done.returncode == 3
    assert f"port {ports.peers(CONSUMER).port} (consumer gateway, other gateways)" in done.stderr
    assert "--port-base" in done.stderr


def test_a_folder_that_is_in_use_is_not_touched(project_root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    done = xacbe(project_root, "demo", "--once", "--port-base", str(free_ports().base), "--directory", str(tmp_path))
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine"]
