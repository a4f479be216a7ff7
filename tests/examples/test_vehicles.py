"""The register of vehicles, as its own process over HTTP, and its data, the same each time."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from examples.vehicles.register import ROWS, STATES, Register, create


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> Iterator[httpx.Client]:
    database = tmp_path_factory.mktemp("vehicles") / "vehicles.sqlite"
    with subprocess.Popen(
        [sys.executable, "-m", "examples.vehicles", "--port", "0", "--database", str(database)],
        cwd=project_root,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        address = re.search(r"http://[0-9.:]+", said)
        assert address, said
        with httpx.Client(base_url=address[0], trust_env=False) as client:
            yield client
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_plate_is_found_in_either_case(service: httpx.Client) -> None:
    answer = service.get("/placas/UTR-123-A")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert answer.json()["estado"] == "robado"
    assert service.get("/placas/utr-123-a").json() == answer.json()


def test_an_unknown_plate_is_a_problem_document(service: httpx.Client) -> None:
    answer = service.get("/placas/ZZZ-000-Z")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["status"] == 404


def test_the_list_may_be_narrowed_to_a_state(service: httpx.Client) -> None:
    everything = service.get("/placas").json()
    stolen = service.get("/placas", params={"estado": "robado"}).json()
    assert everything["total"] == len(everything["placas"]) == ROWS
    assert 0 < stolen["total"] < ROWS
    assert stolen["placas"] == [each for each in everything["placas"] if each["estado"] == "robado"]
    assert service.get("/placas", params={"estado": "x"}).status_code == 400


def test_it_tells_that_it_lives_and_that_it_is_read_only(service: httpx.Client) -> None:
    assert service.get("/health").json() == {"status": "ok"}
    assert service.head("/placas/UTR-123-A").content == b""
    refused = service.post("/placas", content=b"x" * 100_000)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert service.get("/elsewhere").status_code == 404


def test_the_register_is_the_same_each_time_and_plausible(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    create(first)
    create(second)
    create(second)
    vehicles = Register(first).in_state(None)
    assert vehicles == Register(second).in_state(None)
    assert all(re.fullmatch(r"U[RSTUV][A-HJ-NPR-Z]-[0-9]{3}-[A-HJ-NPR-Z]", each["placa"]) for each in vehicles)
    assert {each["estado"] for each in vehicles} == set(STATES)
    assert all((each["fecha_reporte"] is not None) == (each["estado"] == "robado") for each in vehicles)


def test_a_taken_port_is_told(tmp_path: Path, project_root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "examples.vehicles", "--port", str(port), "--database", str(tmp_path / "v")],
            cwd=project_root,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 3
    assert f"--port {port}" in done.stderr
    assert "Traceback" not in done.stderr
