"""Checks of what a container holds: its entries, its signature document, its manifest, its head.

Each check takes the :class:`~estamp.reading.Reading`, returns a sentence that says what held, and raises an
EstampError to refuse.
"""

from estamp.catalogue import CATALOGUE_ENTRY
from estamp.container import read_zip
from estamp.errors import ContainerError, HeadError
from estamp.message import (
    BODY_ENTRY,
    HEAD_MEDIA_TYPE,
    AnswerHead,
    Direction,
    RequestHead,
    bare_media_type,
)
from estamp.reading import Reading
from estamp.signature import (
    MANIFEST_ENTRY,
    SIGNATURE_ENTRY,
    check_digests,
    read_signature,
    write_manifest,
)


def check_container(reading: Reading) -> str:
    """See that the file is a container of the wire, its last entries manifest and signature."""
    files = read_zip(reading.container)
    if [name for name, _ in files[-2:]] != [MANIFEST_ENTRY, SIGNATURE_ENTRY]:
        raise ContainerError(
            "container-malformed", f"A container ends with {MANIFEST_ENTRY} and {SIGNATURE_ENTRY}, one signature."
        )
    reading.files = dict(files)
    reading.signed = files[:-2]
    return f"An ASiC-E container of {len(files) + 1} entries, {len(reading.container)} bytes."


def check_message_entries(reading: Reading) -> str:
    """See that the signed entries are those of one message: a head and perhaps a body."""
    names = [name for name, _ in reading.signed]
    for direction in Direction:
        if names in ([direction.head_entry], [direction.head_entry, BODY_ENTRY]):
            reading.direction = direction
            return f"One {direction}, {'with' if len(names) > 1 else 'without'} a body."
    raise ContainerError("container-malformed", f"A message holds one head and perhaps a body, not {names}.")


def check_catalogue_entries(reading: Reading) -> str:
    """See that the one signed entry is a catalogue."""
    names = [name for name, _ in reading.signed]
    if names != [CATALOGUE_ENTRY]:
        raise ContainerError("container-malformed", f"A catalogue is the one entry {CATALOGUE_ENTRY}, not {names}.")
    return "A catalogue."


def check_signature_document(reading: Reading) -> str:
    """Read the signature document; it must be exactly what its own fields make."""
    reading.fields = read_signature(reading.files[SIGNATURE_ENTRY])
    return "Exactly the document that its fields make."


def check_manifest(reading: Reading) -> str:
    """See that the manifest is the one that goes with the signature."""
    if reading.files[MANIFEST_ENTRY] != write_manifest(reading.signature.references):
        raise ContainerError("manifest-mismatch", "The manifest is not the one that goes with the signature.")
    return "The manifest names the signed entries and their media types."


def check_content(reading: Reading) -> str:
    """See that the signature names every entry with its digest."""
    check_digests(reading.signature.references, reading.signed)
    return "The signature names every entry, and their SHA-256 digests hold."


def check_head(reading: Reading) -> str:
    """Read the head strictly; the signed media types must be those that go with it."""
    head_bytes = reading.signed[0][1]
    reading.head = (
        RequestHead.parse(head_bytes) if reading.direction is Direction.REQUEST else AnswerHead.parse(head_bytes)
    )
    expected = [HEAD_MEDIA_TYPE]
    if BODY_ENTRY in reading.files:
        expected.append(bare_media_type(reading.head.get("content-type")))
    if [reference.media_type for reference in reading.signature.references] != expected:
        raise HeadError("media-type-mismatch", "The signed media types are not those that go with the head.")
    return (
        f"{reading.head.method} {reading.head.target}"
        if isinstance(reading.head, RequestHead)
        else (f"{reading.head.status} {reading.head.reason}")
    )
