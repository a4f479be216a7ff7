"""What a container holds, read for people without judging it: message, signer, times and certificates."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from rich.console import Console

from estamp.certificates import fingerprint, load_certificate, signer_of
from estamp.container import read_zip
from estamp.errors import CertificateError, ContainerError, EstampError
from estamp.message import BODY_ENTRY, AnswerHead, Direction, RequestHead
from estamp.signature import SIGNATURE_ENTRY, SignatureFields, read_signature, signature_value_element
from estamp.status import StatusAnswer, read_answer
from estamp.timestamp import Timestamp, read_token
from xacbe.verdict_view import harmless

_MOST_TEXT = 4000


@dataclass(frozen=True, slots=True)
class Contents:
    """A container's contents.

    ``head`` is None when it is no message (a catalogue, say); ``timestamp`` and ``status`` are None when they cannot
    be read, and ``problems`` then says why.
    """

    entries: tuple[tuple[str, int], ...]
    head: RequestHead | AnswerHead | None
    body: bytes | None
    signature: SignatureFields
    timestamp: Timestamp | None
    status: StatusAnswer | None
    problems: tuple[str, ...]


def read_contents(container: bytes) -> Contents:
    """Read a container; raises EstampError when container, head or signature are not of the wire's form."""
    files = dict(read_zip(container))
    if SIGNATURE_ENTRY not in files:
        raise ContainerError("container-malformed", f"The container holds no {SIGNATURE_ENTRY}.")
    signature = read_signature(files[SIGNATURE_ENTRY])
    head: RequestHead | AnswerHead | None = None
    if (data := files.get(Direction.REQUEST.head_entry)) is not None:
        head = RequestHead.parse(data)
    elif (data := files.get(Direction.ANSWER.head_entry)) is not None:
        head = AnswerHead.parse(data)
    problems: list[str] = []
    timestamp: Timestamp | None = None
    status: StatusAnswer | None = None
    try:
        imprint = hashlib.sha256(signature_value_element(signature.value).encode()).digest()
        timestamp = read_token(signature.token, imprint)
    except EstampError as error:
        problems.append(f"timestamp: {error.message} ({error.reason})")
    try:
        issuer = load_certificate(signature.certificates[0])
        status = read_answer(signature.status, signature.certificate, issuer, nonce=None)
    except EstampError as error:
        problems.append(f"certificate status: {error.message} ({error.reason})")
    entries = tuple((name, len(data)) for name, data in files.items())
    return Contents(entries, head, files.get(BODY_ENTRY), signature, timestamp, status, tuple(problems))


def _text_of(body: bytes) -> str | None:
    """The body as text, or None when it is not, or too long to be read on a terminal."""
    if len(body) > _MOST_TEXT:
        return None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _signer(certificate: x509.Certificate) -> dict[str, str] | None:
    try:
        name = signer_of(certificate)
    except CertificateError:
        return None
    return {"member": str(name.member), "server": str(name.server)}


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _certificates(contents: Contents) -> Iterator[tuple[str, x509.Certificate]]:
    yield "signing", contents.signature.certificate
    for role, der in zip(("issuing CA", "status responder"), contents.signature.certificates, strict=False):
        try:
            yield role, load_certificate(der)
        except CertificateError:
            continue
    if contents.timestamp is not None:
        yield "time-stamping", contents.timestamp.certificate


def contents_json(contents: Contents) -> Mapping[str, object]:
    """The contents as JSON-ready values, the body in base64."""
    head, timestamp, status = contents.head, contents.timestamp, contents.status
    first: dict[str, object] = {}
    if isinstance(head, RequestHead):
        first = {"direction": Direction.REQUEST, "method": head.method, "target": head.target}
    elif isinstance(head, AnswerHead):
        first = {"direction": Direction.ANSWER, "status": head.status, "reason": head.reason}
    return {
        "verified": False,
        "entries": [{"name": name, "bytes": size} for name, size in contents.entries],
        **first,
        "headers": [] if head is None else [list(header) for header in head.headers],
        "body": None if contents.body is None else base64.b64encode(contents.body).decode(),
        "signer": _signer(contents.signature.certificate),
        "signing_time": _iso(contents.signature.signing_time),
        "timestamp": None if timestamp is None else _iso(timestamp.time),
        "certificate_status": None if status is None else status.status,
        "status_produced_at": None if status is None else _iso(status.produced_at),
        "certificates": [
            {
                "role": role,
                "subject": certificate.subject.rfc4514_string(),
                "issuer": certificate.issuer.rfc4514_string(),
                "serial_number": f"{certificate.serial_number:x}",
                "not_before": _iso(certificate.not_valid_before_utc),
                "not_after": _iso(certificate.not_valid_after_utc),
                "sha256": fingerprint(certificate),
            }
            for role, certificate in _certificates(contents)
        ],
        "problems": list(contents.problems),
    }


def _lines(contents: Contents) -> Iterator[str]:
    head, body = contents.head, contents.body
    if isinstance(head, RequestHead):
        yield f"{head.method} {head.target}"
    elif isinstance(head, AnswerHead):
        yield f"{head.status} {head.reason}"
    else:
        yield "No message; entries:"
        yield from (f"  {name}, {size} bytes" for name, size in contents.entries)
    if head is not None:
        yield from (f"{name}: {value}" for name, value in head.headers)
        yield ""
    if body is not None:
        text = _text_of(body)
        yield text if text is not None else f"[body of {len(body)} bytes, SHA-256 {hashlib.sha256(body).hexdigest()}]"
        yield ""
    signer = _signer(contents.signature.certificate)
    yield f"signed by      {signer['member']} on {signer['server']}" if signer else "signed by      no member"
    yield f"signing time   {_iso(contents.signature.signing_time)}"
    if contents.timestamp is not None:
        yield f"timestamp      {_iso(contents.timestamp.time)}"
    if contents.status is not None:
        yield f"status         {contents.status.status} at {_iso(contents.status.produced_at)}"
    for role, certificate in _certificates(contents):
        yield f"certificate    {role}: {certificate.subject.rfc4514_string()}"
        yield f"               SHA-256 {fingerprint(certificate)}"
    yield from (f"unreadable     {problem}" for problem in contents.problems)


def print_contents(console: Console, contents: Contents) -> None:
    """Print the message as it would stand on the wire, and below it who signed and when."""
    for line in _lines(contents):
        console.print(harmless(line), markup=False, highlight=False, soft_wrap=True)
