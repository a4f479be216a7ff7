"""The real responder process, `xacbe ocsp serve`, with settings made for a test."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from estamp.anchor import TrustAnchor
from estamp.certificates import key_fingerprint
from tests.pki import Credential, TestPki

PROJECT = Path(__file__).parents[2]
START_SECONDS = 20.0


def write_settings(
    folder: Path,
    pki: TestPki,
    registry: str,
    *,
    ocsp: Credential | None = None,
    feed: str = "",
    top: str = "",
) -> Path:
    """Leave the anchor, certificates, keys and ocsp.toml in `folder`; returns the settings file.

    `feed` is added to the [feed] table, `top` to the top.
    """
    anchor = TrustAnchor.of(
        pki.root.certificate,
        instance=pki.instance,
        signer_key=key_fingerprint(pki.catalogue_signer.certificate),
        registry_addresses=(registry,),
    )
    (folder / "anchor.json").write_bytes(anchor.dump())
    for name, credential in [("ocsp", ocsp or pki.ocsp), ("root-ocsp", pki.root_ocsp)]:
        credential.write(folder, name)
        (folder / f"{name}.pem").write_bytes(credential.pem)
    (folder / "issuing-ca.pem").write_bytes(pki.issuing.pem)
    (folder / "root-ca.pem").write_bytes(pki.root.pem)
    settings = folder / "ocsp.toml"
    settings.write_text(
        f"""
anchor = "anchor.json"
{top}
[[issuers]]
certificate = "issuing-ca.pem"
responder_certificate = "ocsp.pem"
key = "ocsp.key"
[[issuers]]
certificate = "root-ca.pem"
responder_certificate = "root-ocsp.pem"
key = "root-ocsp.key"
[feed]
file = "status-feed.json"
{feed}
[listen]
port = 0
[management]
port = 0
"""
    )
    return settings


class ResponderProcess:
    """One running responder. Its log, a JSON object a line, is in `log`."""

    def __init__(self, settings: Path, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "xacbe", "ocsp", "serve", "--config", str(settings)],
            cwd=PROJECT,
            env=os.environ | environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.output: list[str] = []
        self.log: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.output.append(line)
            if line.startswith("{"):
                self.log.append(json.loads(line))

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log's entries of that name."""
        return [entry for entry in self.log if entry["event"] == event]

    def wait_for(self, condition: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Wait until `condition` holds; fails, showing the output, when it does not or the process has ended."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self._process.poll() is None, "".join(self.output)
            assert time.monotonic() < deadline, "".join(self.output)
            time.sleep(0.02)

    def address(self, listener: str) -> str:
        """The URL of a listener, by its name in the log."""
        address: str = self.logged("serving")[0]["addresses"][listener]
        return address

    @property
    def url(self) -> str:
        """Where status is asked."""
        return self.address("status requests")

    @property
    def management(self) -> str:
        """Where health is asked."""
        return self.address("management")

    def is_ready(self) -> bool:
        """What /health/ready says."""
        return httpx.get(f"{self.management}/health/ready").status_code == 200

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self._process.terminate()
        return self.wait()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self.wait()

    def wait(self) -> int:
        """Wait for the end; the exit code."""
        code = self._process.wait(timeout=START_SECONDS)
        self._reader.join(timeout=5)
        assert self._process.stderr is not None
        self._process.stderr.close()
        return code

    def __enter__(self) -> Self:
        self.wait_for(lambda: bool(self.logged("serving")))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.stop()
