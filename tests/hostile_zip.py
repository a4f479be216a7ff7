"""A ZIP writer that writes what it is told, right or wrong: every field of every header can be made to lie.

Left alone, it writes the very form that the wire demands, from the ZIP specification (APPNOTE 6.3) and not from
estamp.container, so that the two check each other.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

LOCAL_FIELDS = ("magic", "needs", "flags", "method", "time", "date", "crc", "packed", "size", "name_size", "extra_size")
LOCAL_FORMAT = "<IHHHHHIIIHH"
CENTRAL_FIELDS = (
    "magic", "made_by", "needs", "flags", "method", "time", "date", "crc", "packed", "size",
    "name_size", "extra_size", "comment_size", "disk", "internal", "external", "offset",
)  # fmt: skip
CENTRAL_FORMAT = "<IHHHHHHIIIHHHHHII"
END_FIELDS = ("magic", "disk", "start_disk", "here", "total", "directory_size", "directory_at", "comment_size")
END_FORMAT = "<IHHHHIIH"
DESCRIPTOR_FORMAT = "<IIII"

USES_DESCRIPTOR = 0x0008


@dataclass(frozen=True)
class Part:
    """One entry: what it is called and holds, and in which fields its two headers shall differ from the truth.

    `stored` are the bytes that are really put there (the compressed form, say); `gap` comes after them and belongs to
    no entry. `local` and `central` name fields of LOCAL_FIELDS and CENTRAL_FIELDS.
    """

    name: bytes
    data: bytes
    stored: bytes | None = None
    local_name: bytes | None = None
    local: Mapping[str, int] = field(default_factory=dict)
    central: Mapping[str, int] = field(default_factory=dict)
    local_extra: bytes = b""
    central_extra: bytes = b""
    comment: bytes = b""
    descriptor: bool = False
    descriptor_fields: tuple[int, int, int, int] | None = None
    gap: bytes = b""

    def but(self, **changes: object) -> "Part":
        """The same part with other attributes."""
        return replace(self, **changes)  # type: ignore[arg-type]


def parts_of(container: bytes) -> list[Part]:
    """The entries of a container, ``mimetype`` included, as Python's zipfile reads them."""
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        return [Part(info.filename.encode(), archive.read(info)) for info in archive.infolist()]


def pack(
    parts: Sequence[Part],
    *,
    before: bytes = b"",
    before_directory: bytes = b"",
    before_end: bytes = b"",
    comment: bytes = b"",
    after: bytes = b"",
    listed: Sequence[int] | None = None,
    end: Mapping[str, int] | None = None,
) -> bytes:
    """A ZIP of `parts`, with stray bytes wherever the arguments put some.

    `listed` gives the central directory's order, by number, and may leave parts out or name them twice; `end` names
    fields of END_FIELDS that shall lie.
    """
    out = bytearray(before)
    directory: list[bytes] = []
    for part in parts:
        offset = len(out)
        out += _local(part)
        directory.append(_central(part, offset))
    out += before_directory
    directory_at = len(out)
    order = range(len(parts)) if listed is None else listed
    chosen = b"".join(directory[number] for number in order)
    values = dict.fromkeys(END_FIELDS, 0) | {
        "magic": 0x06054B50,
        "here": len(order),
        "total": len(order),
        "directory_size": len(chosen),
        "directory_at": directory_at,
        "comment_size": len(comment),
    }
    values |= end or {}
    record = struct.pack(END_FORMAT, *(values[name] for name in END_FIELDS))
    return bytes(out) + chosen + before_end + record + comment + after


def _truth(part: Part) -> dict[str, int]:
    return {
        "needs": 20,
        "flags": USES_DESCRIPTOR if part.descriptor else 0,
        "method": 0,
        "time": 0,
        "date": 0x21,
        "crc": zlib.crc32(part.data),
        "packed": len(part.data if part.stored is None else part.stored),
        "size": len(part.data),
    }


def _local(part: Part) -> bytes:
    name = part.name if part.local_name is None else part.local_name
    truth = _truth(part)
    values = truth | {"magic": 0x04034B50, "name_size": len(name), "extra_size": len(part.local_extra)}
    if part.descriptor:
        values |= {"crc": 0, "packed": 0, "size": 0}
    values |= part.local
    header = struct.pack(LOCAL_FORMAT, *(values[each] for each in LOCAL_FIELDS))
    stored = part.data if part.stored is None else part.stored
    descriptor = b""
    if part.descriptor:
        described = part.descriptor_fields or (0x08074B50, truth["crc"], truth["packed"], truth["size"])
        descriptor = struct.pack(DESCRIPTOR_FORMAT, *described)
    return header + name + part.local_extra + stored + descriptor + part.gap


def _central(part: Part, offset: int) -> bytes:
    values = _truth(part) | {
        "magic": 0x02014B50,
        "made_by": 0x0314,
        "name_size": len(part.name),
        "extra_size": len(part.central_extra),
        "comment_size": len(part.comment),
        "disk": 0,
        "internal": 0,
        "external": 0o100644 << 16,
        "offset": offset,
    }
    values |= part.central
    header = struct.pack(CENTRAL_FORMAT, *(values[each] for each in CENTRAL_FIELDS))
    return header + part.name + part.central_extra + part.comment
