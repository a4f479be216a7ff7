"""The ZIP around an e-stamp: an ASiC-E container (ETSI EN 319 162-1), written and read in exactly one form.

Every entry is stored, never compressed, so the size of what is read is the size of what arrived. The reader
accepts a file only if every byte of it is named by both the central directory and the local headers: there is no
room between, before or after the entries for anything that one reader would see and another would not.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from estamp.errors import ContainerError

MEDIA_TYPE = "application/vnd.etsi.asic-e+zip"
"""Media type of the container, and the whole content of its first entry (EN 319 162-1, A.1)."""

MIMETYPE_ENTRY = "mimetype"
MAX_ENTRIES = 8
MAX_NAME = 64

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_DESCRIPTOR = struct.Struct("<4s3I")
_LOCAL_MAGIC = b"PK\x03\x04"
_CENTRAL_MAGIC = b"PK\x01\x02"
_END_MAGIC = b"PK\x05\x06"
_DESCRIPTOR_MAGIC = b"PK\x07\x08"
_VERSION = 20
_UNIX = 0x0314
_REGULAR_FILE = 0o100644 << 16
# 1 January 1980, the first day that ZIP knows: the container's times are in its signature, nowhere else.
_TIME, _DATE = 0, 0x21
_HAS_DESCRIPTOR = 0x0008
_MAX_SIZE = 0xFFFFFFFF - 0x10000


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a container: its name, its bare media type (``type/subtype``) and its bytes."""

    name: str
    media_type: str
    data: bytes


def write_zip(files: Sequence[tuple[str, bytes]]) -> bytes:
    """The container's bytes from names and contents in their order, ``mimetype`` put first by this function.

    Raises ContainerError when the whole would pass 4 GiB, which this form of ZIP cannot express.
    """
    local: list[bytes] = []
    central: list[bytes] = []
    offset = 0
    everything = [(MIMETYPE_ENTRY, MEDIA_TYPE.encode()), *files]
    for name, data in everything:
        raw_name = name.encode("ascii")
        checksum, size = zlib.crc32(data), len(data)
        if offset + size > _MAX_SIZE:
            raise ContainerError("container-too-large", "a container holds less than 4 GiB")
        header = _LOCAL.pack(_LOCAL_MAGIC, _VERSION, 0, 0, _TIME, _DATE, checksum, size, size, len(raw_name), 0)
        local += (header, raw_name, data)
        central += (
            _CENTRAL.pack(
                _CENTRAL_MAGIC, _UNIX, _VERSION, 0, 0, _TIME, _DATE, checksum, size, size, len(raw_name), 0, 0, 0, 0,
                _REGULAR_FILE, offset,
            ),
            raw_name,
        )  # fmt: skip
        offset += len(header) + len(raw_name) + size
    directory = b"".join(central)
    end = _END.pack(_END_MAGIC, 0, 0, len(everything), len(everything), len(directory), offset, 0)
    return b"".join((*local, directory, end))


def read_zip(container: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of a container's entries in their order, without ``mimetype``, which is checked.

    Raises ContainerError (``container-malformed``) unless the whole file is exactly: entries back to back, stored,
    with agreeing local and central headers; the central directory; the end record. No comment, no extra field but
    in no entry, no ZIP64, no encryption, no name twice. Data descriptors are allowed.
    """
    if len(container) < _END.size or container[-_END.size : -_END.size + 4] != _END_MAGIC:
        raise _malformed("it does not end in a ZIP end record without comment")
    _, disk, start_disk, here, total, directory_size, directory_at, comment = _END.unpack_from(
        container, len(container) - _END.size
    )
    if disk or start_disk or comment or here != total:
        raise _malformed("its end record speaks of several disks, a comment or other entries")
    if not 1 <= total <= MAX_ENTRIES:
        raise _malformed(f"it has {total} entries; 1 to {MAX_ENTRIES} are allowed")
    if directory_at + directory_size + _END.size != len(container):
        raise _malformed("its central directory does not end where the end record begins")
    files: list[tuple[str, bytes]] = []
    names: set[str] = set()
    at, entry_at = directory_at, 0
    for _ in range(total):
        name, data, at, entry_at = _read_entry(container, at, entry_at, directory_at)
        if name in names:
            raise _malformed(f"it names the entry {name!r} twice")
        names.add(name)
        files.append((name, data))
    if entry_at != directory_at or at != len(container) - _END.size:
        raise _malformed("it holds bytes that belong to no entry")
    name, data = files[0]
    if name != MIMETYPE_ENTRY or data != MEDIA_TYPE.encode():
        raise _malformed(f"its first entry is not {MIMETYPE_ENTRY} saying {MEDIA_TYPE}")
    return files[1:]


def _malformed(what: str) -> ContainerError:
    return ContainerError("container-malformed", f"the container is not one that the wire allows: {what}")


def _read_entry(container: bytes, at: int, entry_at: int, directory_at: int) -> tuple[str, bytes, int, int]:
    """Read the central header at ``at`` and the entry it names, which must begin at ``entry_at``."""
    if at + _CENTRAL.size > len(container) - _END.size:
        raise _malformed("its central directory is cut off")
    (
        magic, made_by, needs, flags, method, time, date, checksum, packed, size, name_size, extra, comment, disk,
        internal, external, offset,
    ) = _CENTRAL.unpack_from(container, at)  # fmt: skip
    if magic != _CENTRAL_MAGIC or made_by != _UNIX or external != _REGULAR_FILE or internal:
        raise _malformed("a central header is not of the wire's form")
    if method or packed != size or extra or comment or disk or flags & ~_HAS_DESCRIPTOR or needs != _VERSION:
        raise _malformed("an entry is compressed, encrypted, or carries extra fields")
    if time != _TIME or date != _DATE:
        raise _malformed("an entry carries a time; times stand in the signature alone")
    if not 1 <= name_size <= MAX_NAME:
        raise _malformed(f"an entry's name has {name_size} bytes; 1 to {MAX_NAME} are allowed")
    raw_name = container[at + _CENTRAL.size : at + _CENTRAL.size + name_size]
    if offset != entry_at:
        raise _malformed("its entries do not lie back to back in the order of the central directory")
    data_at = offset + _LOCAL.size + name_size
    with_descriptor = bool(flags & _HAS_DESCRIPTOR)
    in_local = (0, 0, 0) if with_descriptor else (checksum, size, size)
    expected = _LOCAL.pack(_LOCAL_MAGIC, _VERSION, flags, 0, time, date, *in_local, name_size, 0) + raw_name
    if container[offset:data_at] != expected or data_at + size > directory_at:
        raise _malformed("a local header and the central directory disagree")
    data = container[data_at : data_at + size]
    end = data_at + size
    if with_descriptor:
        descriptor = _DESCRIPTOR.pack(_DESCRIPTOR_MAGIC, checksum, size, size)
        if container[end : end + _DESCRIPTOR.size] != descriptor or end + _DESCRIPTOR.size > directory_at:
            raise _malformed("a data descriptor and the central directory disagree")
        end += _DESCRIPTOR.size
    if zlib.crc32(data) != checksum:
        raise _malformed("an entry's checksum does not fit its bytes")
    try:
        name = raw_name.decode("ascii")
    except UnicodeDecodeError:
        raise _malformed("an entry's name is not ASCII") from None
    return name, data, at + _CENTRAL.size + name_size, end
