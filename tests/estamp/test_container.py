"""The ZIP: ours is read by other programs with the same content, and of others' only the one form is read."""

import contextlib
import io
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estamp.container import MAX_ENTRIES, MAX_NAME, MEDIA_TYPE, read_zip, write_zip
from estamp.errors import ContainerError
from tests.hostile_zip import Part, pack, parts_of
from tests.requirements_of_tests import require_tool
from tests.vectors import broken_containers
from tests.vectors.scene import Scene

NAMES = st.text("abcdefgXYZ0123456789._-/", min_size=1, max_size=MAX_NAME).filter(lambda name: name != "mimetype")
FILES = st.lists(st.tuples(NAMES, st.binary(max_size=300)), max_size=MAX_ENTRIES - 1, unique_by=lambda file: file[0])


def refused(container: bytes) -> bool:
    with pytest.raises(ContainerError) as caught:
        read_zip(container)
    return caught.value.reason == "container-malformed"


@given(FILES)
def test_what_is_written_is_read_back_by_us_and_by_others(files: list[tuple[str, bytes]]) -> None:
    container = write_zip(files)
    assert read_zip(container) == files
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        assert archive.testzip() is None
        assert [(info.filename, archive.read(info)) for info in archive.infolist()] == [
            ("mimetype", MEDIA_TYPE.encode()),
            *files,
        ]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


@given(FILES, st.booleans())
def test_another_writer_of_the_same_form_is_read(files: list[tuple[str, bytes]], descriptors: bool) -> None:
    parts = [
        Part(name.encode(), data, descriptor=descriptors) for name, data in [("mimetype", MEDIA_TYPE.encode()), *files]
    ]
    container = pack(parts)
    assert read_zip(container) == files
    if not descriptors:
        assert container == write_zip(files)


def test_unzip_finds_no_fault(tmp_path: Path) -> None:
    unzip = require_tool("unzip")
    container = tmp_path / "message.asice"
    container.write_bytes(write_zip([("request.http", b"head"), ("body", b""), ("META-INF/manifest.xml", b"<x/>")]))
    said = subprocess.run([unzip, "-t", str(container)], capture_output=True, text=True, check=True).stdout
    assert "No errors detected" in said


def test_mimetype_stands_where_file_type_detection_looks() -> None:
    """EN 319 162-1, A.1: a reader finds the media type at byte 38, after the name at byte 30, without unpacking."""
    container = write_zip([])
    assert container[30:38] == b"mimetype"
    assert container[38 : 38 + len(MEDIA_TYPE)] == MEDIA_TYPE.encode()


BROKEN = {
    case.name: case.container
    for case in broken_containers.cases(Scene())
    if case.check == "container" and case.name not in {"signature-second-file", "signature-missing", "manifest-missing"}
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_zip_of_another_form_is_refused(name: str) -> None:
    assert refused(BROKEN[name])


@pytest.mark.parametrize(
    "container",
    [b"", b"PK", b"PK\x05\x06" + bytes(18), bytes(100), pack([]), write_zip([])[:-1], write_zip([("a", b"b")])[1:]],
    ids=["nothing", "two-bytes", "end-record-alone", "zeros", "no-entries", "cut-at-the-end", "cut-at-the-beginning"],
)
def test_what_is_no_zip_is_refused(container: bytes) -> None:
    assert refused(container)


FIELDS = [
    *(
        ("local", name, size)
        for name, size in (("magic", 4), ("needs", 2), ("flags", 2), ("method", 2), ("time", 2), ("date", 2))
    ),
    *(
        ("local", name, size)
        for name, size in (("crc", 4), ("packed", 4), ("size", 4), ("name_size", 2), ("extra_size", 2))
    ),
    *(
        ("central", name, size)
        for name, size in (("magic", 4), ("made_by", 2), ("needs", 2), ("flags", 2), ("method", 2))
    ),
    *(("central", name, size) for name, size in (("time", 2), ("date", 2), ("crc", 4), ("packed", 4), ("size", 4))),
    *(
        ("central", name, size)
        for name, size in (("name_size", 2), ("extra_size", 2), ("comment_size", 2), ("disk", 2))
    ),
    *(("central", name, size) for name, size in (("internal", 2), ("external", 4), ("offset", 4))),
    *(("end", name, size) for name, size in (("magic", 4), ("disk", 2), ("start_disk", 2), ("here", 2), ("total", 2))),
    *(("end", name, size) for name, size in (("directory_size", 4), ("directory_at", 4), ("comment_size", 2))),
]


@pytest.mark.parametrize(("where", "name", "size"), FIELDS)
def test_no_field_may_say_anything_else(where: str, name: str, size: int) -> None:
    """Every field of every header, with the lowest and the highest bit turned over, and with ZIP64's marker."""
    files = [("request.http", b"head"), ("body", b"body")]
    honest = parts_of(write_zip(files))
    top = 1 << (8 * size - 1)
    assert pack(honest) == write_zip(files)
    for wrong in (0x01, top, (1 << 8 * size) - 1):
        if where == "end":
            container = _with_end_field(pack(honest), name, wrong)
        else:
            container = _with_header_field(honest, where, name, wrong)
        assert container != write_zip(files)
        assert refused(container), f"{where} {name} {wrong:#x}"


def _with_header_field(honest: list[Part], where: str, name: str, mask: int) -> bytes:
    """Turn bits over in the last entry's header, by looking where the field lies when it is made to differ."""
    zero = pack([*honest[:-1], honest[-1].but(**{where: {name: 0}})])
    ones = pack([*honest[:-1], honest[-1].but(**{where: {name: 1}})])
    at = next(place for place, (a, b) in enumerate(zip(zero, ones, strict=True)) if a != b)
    return _turned(pack(honest), at, mask)


def _with_end_field(container: bytes, name: str, mask: int) -> bytes:
    offsets = {"magic": 0, "disk": 4, "start_disk": 6, "here": 8, "total": 10, "directory_size": 12, "directory_at": 16}
    return _turned(container, len(container) - 22 + (offsets | {"comment_size": 20})[name], mask)


def _turned(container: bytes, at: int, mask: int) -> bytes:
    size = (mask.bit_length() + 7) // 8
    value = int.from_bytes(container[at : at + size], "little") ^ mask
    return container[:at] + value.to_bytes(size, "little") + container[at + size :]


@given(st.binary(max_size=400))
def test_random_bytes_never_raise_anything_else(data: bytes) -> None:
    for candidate in (data, data + write_zip([])[-22:], write_zip([("a", data)])[:-22] + data):
        with contextlib.suppress(ContainerError):
            read_zip(candidate)


@pytest.mark.parametrize(
    ("name", "accepted"), [("a" * MAX_NAME, True), ("a" * (MAX_NAME + 1), False), ("", False)], ids=["64", "65", "0"]
)
def test_the_length_of_a_name(name: str, accepted: bool) -> None:
    container = pack([Part(b"mimetype", MEDIA_TYPE.encode()), Part(name.encode(), b"x")])
    if accepted:
        assert read_zip(container) == [(name, b"x")]
    else:
        assert refused(container)


def test_the_number_of_entries() -> None:
    files = [(f"f{number}", b"") for number in range(MAX_ENTRIES - 1)]
    assert read_zip(write_zip(files)) == files
    assert refused(write_zip([*files, ("one-more", b"")]))


def test_two_entries_over_the_same_bytes_are_refused() -> None:
    """Overlapping entries are how ZIP bombs of great ratio are made."""
    honest = parts_of(write_zip([("a", b"x"), ("b", b"x")]))
    assert refused(pack([*honest[:2], honest[2].but(central={"offset": 0})]))
    assert refused(pack(honest[:2], listed=[0, 1, 1]))
