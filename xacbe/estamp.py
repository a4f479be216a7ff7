"""`xacbe estamp`: verify and read evidence, offline, with the light install."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from estamp.anchor import TrustAnchor
from estamp.catalogue import Catalogue
from estamp.errors import CatalogueError
from estamp.verification import Policy, verify, verify_catalogue
from xacbe.contents_view import contents_json, print_contents, read_contents
from xacbe.failures import FAILED
from xacbe.verdict_view import print_verdict

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def estamp() -> None:
    """Verify or read evidence (.asice files), offline.

    An e-stamp is the seal on one message: the sender's signature, a timestamp over it, and the word of the
    certificate authority that the certificate stood at that time. Nothing is asked over the network.
    """


@estamp.command(name="verify")
@click.argument("file", type=_FILE)
@click.option(
    "--anchor",
    "anchor_file",
    type=_FILE,
    required=True,
    help="The instance's trust anchor. Whoever gave it to you is whom you believe: compare its fingerprint once.",
)
@click.option(
    "--catalogue",
    "catalogue_file",
    type=_FILE,
    help="A catalogue of the instance (.asice), verified against the anchor; adds checks.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def verify_file(file: Path, anchor_file: Path, catalogue_file: Path | None, as_json: bool) -> int:
    """Verify the e-stamp in FILE and list each check.

    Exit code 0 only when the e-stamp is valid; 1 when it is not; 3 when the anchor cannot be used.
    """
    anchor = TrustAnchor.load(anchor_file.read_bytes())
    policy = Policy(datetime.now(UTC))
    catalogue = None if catalogue_file is None else _catalogue(catalogue_file, anchor, policy)
    verdict = verify(file.read_bytes(), anchor, policy, catalogue)
    if as_json:
        click.echo(json.dumps(verdict.to_json(), indent=2))
    else:
        print_verdict(Console(), str(file), verdict)
    return 0 if verdict.valid else FAILED


def _catalogue(file: Path, anchor: TrustAnchor, policy: Policy) -> Catalogue:
    verdict, catalogue = verify_catalogue(file.read_bytes(), anchor, policy)
    if catalogue is None:
        detail = verdict.failure.detail if verdict.failure else ""
        raise CatalogueError(verdict.reason or "catalogue-malformed", f"{file} is no catalogue to rely on: {detail}")
    return catalogue


@estamp.command()
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print the contents as JSON (the body in base64).")
def show(file: Path, as_json: bool) -> None:
    """Show what is in FILE: message, signer, times, certificates.

    Nothing is verified here: anyone could have made the file. Use `xacbe estamp verify` before relying on it.
    """
    contents = read_contents(file.read_bytes())
    if as_json:
        click.echo(json.dumps(contents_json(contents), indent=2))
        return
    print_contents(Console(), contents)
    click.echo(f"Not verified; run: xacbe estamp verify {file} --anchor ANCHOR", err=True)
