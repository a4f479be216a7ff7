"""`xacbe call`: one call to a peer's service from the command line, with the SDK."""

import sys
from pathlib import Path

import click
from rich.console import Console

from estamp.message import METHODS
from member_sdk import Answer, Gateway
from member_sdk.transport import DEFAULT_TIMEOUT
from xacbe.evidence_view import print_evidence
from xacbe.failures import FAILED

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _headers(_: click.Context, __: click.Parameter, lines: tuple[str, ...]) -> list[tuple[str, str]]:
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise click.BadParameter(f"{line!r} is not of the form 'Name: value'")
        headers.append((name.strip(), value.strip()))
    return headers


def _data(_: click.Context, __: click.Parameter, text: str | None) -> bytes | None:
    if text is None or not text.startswith("@"):
        return None if text is None else text.encode()
    if text == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{text[1:]}: {error.strerror}") from error


@click.command()
@click.argument("service")
@click.option(
    "--client",
    required=True,
    envvar="XACBE_CLIENT",
    show_envvar=True,
    help="The subsystem that asks: instance/class/member/subsystem.",
)
@click.option(
    "--gateway",
    "url",
    default="http://127.0.0.1:8080",
    show_default=True,
    envvar="XACBE_GATEWAY",
    show_envvar=True,
    help="Your own gateway's address for information systems.",
)
@click.option("-X", "--method", help="HTTP method (default: GET, with -d POST).", type=click.Choice(sorted(METHODS)))
@click.option("-p", "--path", default="", help="What follows the service code, as in a URL: UTR-123-A.")
@click.option("-q", "--query", help="The query, passed on unchanged: estado=robado.")
@click.option(
    "-H", "--header", "headers", multiple=True, callback=_headers, help="A header, 'Name: value'; repeatable."
)
@click.option("-d", "--data", callback=_data, help="The body: text, or @file, or @- for standard input.")
@click.option("--cert", type=_FILE, help="This system's certificate (PEM), where the gateway asks for one.")
@click.option("--key", type=_FILE, help="Its private key (PEM).")
@click.option("--ca", type=_FILE, help="Certificate (PEM) that the gateway's own is checked against.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=DEFAULT_TIMEOUT, show_default=True, help="Seconds.")
@click.option(
    "--evidence",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Leave request.asice and response.asice in this folder.",
)
@click.option("--anchor", type=_FILE, help="Verify the evidence against this trust anchor, and show each check.")
def call(
    service: str,
    client: str,
    url: str,
    method: str | None,
    path: str,
    query: str | None,
    headers: list[tuple[str, str]],
    data: bytes | None,
    cert: Path | None,
    key: Path | None,
    ca: Path | None,
    timeout: float,
    directory: Path | None,
    anchor: Path | None,
) -> int:
    r"""Call SERVICE (instance/class/member/subsystem/service) through your gateway.

    The answer's body goes to stdout, all else to stderr.

    \b
    xacbe call QROO/EST/SSP/vehiculos/placas -p UTR-123-A --client QROO/MUN/BENITO-JUAREZ/patrullas

    Exit code 0 for an answer; 1 when the service answers with an HTTP error, a gateway refuses, or the evidence is
    not valid; 2 for a call that cannot be sent as written; 3 when the gateway cannot be reached.
    """
    chosen = method or ("GET" if data is None else "POST")
    with Gateway(url, client, certificate=cert, key=key, ca=ca, timeout=timeout) as gateway:
        answer = gateway.call(service, path, method=chosen, query=query, headers=headers, content=data)
        click.echo(f"{answer.status_code} from {answer.call.service}, message {answer.message_id}", err=True)
        _hand_over(answer)
        if directory is None and anchor is None:
            return FAILED if answer.service_error else 0
        evidence = answer.evidence()
    if directory is not None:
        evidence.save(directory)
        click.echo(f"Evidence in {directory}", err=True)
    valid = anchor is None or print_evidence(Console(stderr=True), evidence.verify(anchor))
    return 0 if valid and not answer.service_error else FAILED


def _hand_over(answer: Answer) -> None:
    sys.stdout.buffer.write(answer.content)
    if sys.stdout.isatty() and not answer.content.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
