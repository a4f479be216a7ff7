"""Vectors whose ZIP is not what the wire allows, or whose entries are not those that were signed."""

import zlib
from collections.abc import Callable, Iterator

from estamp.signature import MANIFEST_ENTRY, SIGNATURE_ENTRY
from tests.breaking import entry_of, flipped, rebuilt
from tests.hostile_zip import Part, pack, parts_of
from tests.vectors.scene import Case, Scene


def cases(scene: Scene) -> Iterator[Case]:
    """Make them."""
    container = scene.request_with_body.container()
    plain = scene.request.container()
    for name, what, broken in (*_around(container), *_headers(container), *_entries(container, plain)):
        check = "entries" if name.startswith("zip-entries-") else "container"
        yield Case(name, what, broken, "container-malformed", check)
    yield from _unsigned(container, plain)


def _around(container: bytes) -> Iterator[tuple[str, str, bytes]]:
    parts = parts_of(container)
    yield "zip-prefix", "bytes before the first entry", pack(parts, before=b"MZ")
    gap = [parts[0], parts[1].but(gap=b"gap"), *parts[2:]]
    yield "zip-gap", "bytes between two entries", pack(gap)
    yield "zip-gap-before-directory", "bytes before the central directory", pack(parts, before_directory=b"gap")
    yield (
        "zip-gap-after-directory",
        "bytes between the central directory and the end record",
        pack(parts, before_end=b"gap"),
    )
    yield "zip-trailing-bytes", "bytes after the end record", container + b"\0"
    yield "zip-comment", "a comment of the archive", pack(parts, comment=b"hello")
    yield (
        "zip-hidden-entry",
        "an entry that the central directory does not list",
        pack([*parts[:2], Part(b"body", b"another"), *parts[2:]], listed=[0, 1, 3, 4, 5]),
    )
    yield "zip-cut-off", "the last byte is missing", container[:-1]
    yield "zip-entry-count", "the end record counts one entry fewer", pack(parts, end={"here": 4, "total": 4})
    yield "zip-second-disk", "the end record speaks of a second disk", pack(parts, end={"disk": 1})
    yield "zip-order", "the central directory lists the entries in another order", pack(parts, listed=[0, 2, 1, 3, 4])


def _headers(container: bytes) -> Iterator[tuple[str, str, bytes]]:
    def with_body(**changes: object) -> bytes:
        return pack([part.but(**changes) if part.name == b"body" else part for part in parts_of(container)])

    data = entry_of(container, "body")
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = compressor.compress(data) + compressor.flush()
    method = {"method": 8}
    yield "zip-compressed", "the body is deflated", with_body(stored=deflated, local=method, central=method)
    yield "zip-encrypted", "the body is marked as encrypted", with_body(local={"flags": 1}, central={"flags": 1})
    yield (
        "zip-utf8-flag",
        "the body's name is marked as UTF-8",
        with_body(local={"flags": 0x800}, central={"flags": 0x800}),
    )
    yield "zip-names-disagree", "the body's local header has another name", with_body(local_name=b"bodi")
    yield "zip-sizes-disagree", "the body's local header has another size", with_body(local={"size": 1, "packed": 1})
    yield "zip-checksums-disagree", "the body's local header has another checksum", with_body(local={"crc": 1})
    yield (
        "zip-checksum-wrong",
        "both headers have the same wrong checksum",
        with_body(local={"crc": 1}, central={"crc": 1}),
    )
    yield "zip-time", "an entry has a time", with_body(local={"time": 1}, central={"time": 1})
    yield "zip-local-extra", "an extra field in a local header", with_body(local_extra=b"\xfe\xca\0\0")
    yield "zip-central-extra", "an extra field in the central directory", with_body(central_extra=b"\xfe\xca\0\0")
    yield "zip-entry-comment", "a comment at an entry", with_body(comment=b"hello")
    yield "zip-symbolic-link", "the body is marked as a symbolic link", with_body(central={"external": 0o120777 << 16})
    yield (
        "zip-descriptor-wrong",
        "a data descriptor with another checksum",
        with_body(descriptor=True, descriptor_fields=(0x08074B50, 1, len(data), len(data))),
    )
    yield (
        "zip-descriptor-unmarked",
        "a data descriptor without its signature",
        with_body(descriptor=True, descriptor_fields=(zlib.crc32(data), len(data), len(data), 0)),
    )


def _entries(container: bytes, plain: bytes) -> Iterator[tuple[str, str, bytes]]:
    mimetype, head, body, manifest, signature = parts_of(container)
    text = mimetype.data
    yield (
        "mimetype-wrong",
        "mimetype names another type",
        pack([mimetype.but(data=text[:-3] + b"odt"), *parts_of(container)[1:]]),
    )
    yield (
        "mimetype-line-feed",
        "mimetype ends in a line feed",
        pack([mimetype.but(data=text + b"\n"), *parts_of(container)[1:]]),
    )
    yield "mimetype-second", "mimetype is not the first entry", pack([head, mimetype, body, manifest, signature])
    yield "mimetype-missing", "there is no mimetype", pack([head, body, manifest, signature])
    yield "entry-duplicated", "the body stands there twice", pack([mimetype, head, body, body, manifest, signature])
    yield (
        "zip-entries-directory",
        "a directory entry META-INF/",
        pack([mimetype, head, body, Part(b"META-INF/", b""), manifest, signature]),
    )
    yield (
        "signature-second-file",
        "a second file of signatures",
        pack([mimetype, head, body, manifest, signature, signature.but(name=b"META-INF/signatures1.xml")]),
    )
    yield "signature-missing", "no file of signatures", pack([mimetype, head, body, manifest])
    yield "manifest-missing", "no manifest", pack([mimetype, head, body, signature])
    many = [Part(b"extra%d" % number, b"") for number in range(4)]
    yield "entry-too-many", "nine entries", pack([mimetype, head, body, *many, manifest, signature])
    yield (
        "entry-name-not-ascii",
        "an entry's name is not ASCII",
        pack([mimetype, head, body.but(name="bódy".encode()), manifest, signature]),
    )
    named = _renamer([mimetype, head, body, manifest, signature])
    yield (
        "zip-entries-added",
        "an entry more, signed by nobody",
        pack([mimetype, head, body, Part(b"extra", b"x"), manifest, signature]),
    )
    yield "zip-entries-renamed", "the body is called otherwise", named(b"body", b"payload")
    yield "zip-entries-path", "the body is called ../body", named(b"body", b"../body")
    yield "zip-entries-case", "the body is called BODY", named(b"body", b"BODY")
    yield "zip-entries-headless", "the head is missing", rebuilt(container, {"request.http": None})
    yield "zip-entries-body-first", "the body stands before the head", pack([mimetype, body, head, manifest, signature])
    yield (
        "zip-entries-both-heads",
        "a request's head and an answer's",
        pack([mimetype, head, Part(b"answer.http", head.data), manifest, signature]),
    )


def _renamer(parts: list[Part]) -> Callable[[bytes, bytes], bytes]:
    def renamed(old: bytes, new: bytes) -> bytes:
        return pack([part.but(name=new) if part.name == old else part for part in parts])

    return renamed


def _unsigned(container: bytes, plain: bytes) -> Iterator[Case]:
    head, body = entry_of(container, "request.http"), entry_of(container, "body")
    yield Case(
        "head-changed",
        "one bit of the head differs",
        rebuilt(container, {"request.http": flipped(head, -3)}),
        "content-changed",
        "content",
    )
    yield Case(
        "body-changed",
        "one bit of the body differs",
        rebuilt(container, {"body": flipped(body, 0)}),
        "content-changed",
        "content",
    )
    yield Case(
        "body-removed",
        "the signed body is not there",
        rebuilt(container, {"body": None}),
        "entries-unsigned",
        "content",
    )
    mimetype, head_part, manifest, signature = parts_of(plain)
    yield Case(
        "body-added",
        "an empty body that nobody signed",
        pack([mimetype, head_part, Part(b"body", b""), manifest, signature]),
        "entries-unsigned",
        "content",
    )
    yield Case(
        "direction-changed",
        "a request whose head's entry calls itself an answer's",
        _renamer([mimetype, head_part, manifest, signature])(b"request.http", b"answer.http"),
        "entries-unsigned",
        "content",
    )
    changed = entry_of(container, MANIFEST_ENTRY).replace(b"application/octet-stream", b"application/json")
    other_type = rebuilt(container, {MANIFEST_ENTRY: changed})
    yield Case(
        "manifest-media-type", "the manifest gives the body another type", other_type, "manifest-mismatch", "manifest"
    )
    spaced = entry_of(container, MANIFEST_ENTRY) + b"\n"
    yield Case(
        "manifest-line-feed", "a line feed after the manifest", rebuilt(container, {MANIFEST_ENTRY: spaced}),
        "manifest-mismatch", "manifest",
    )  # fmt: skip
    empty = rebuilt(container, {SIGNATURE_ENTRY: b""})
    yield Case(
        "signature-empty", "the signature document has no bytes", empty, "signature-malformed", "signature-document"
    )
