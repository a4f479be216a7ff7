"""Key files: who may read them, what is refused, and writing that survives."""

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from service_runtime.errors import FileWriteError, KeyFileError
from service_runtime.keys import (
    generate_key,
    load_passphrase,
    load_private_key,
    read_secret_file,
    write_atomically,
    write_private_key,
)


def refused(path: Path, passphrase: bytes | None = None) -> KeyFileError:
    with pytest.raises(KeyFileError) as caught:
        load_private_key(path, passphrase)
    return caught.value


@pytest.mark.parametrize("passphrase", [None, b"correct horse"])
def test_a_written_key_is_private_and_comes_back(tmp_path: Path, passphrase: bytes | None) -> None:
    key, path = generate_key(), tmp_path / "signing.key"
    previous = os.umask(0)
    try:
        write_private_key(path, key, passphrase)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_private_key(path, passphrase).private_numbers() == key.private_numbers()
    assert (b"ENCRYPTED" in path.read_bytes()) is (passphrase is not None)


def test_kinds_of_key() -> None:
    first = generate_key()
    second = generate_key("rsa-3072")
    assert isinstance(first, ec.EllipticCurvePrivateKey)
    assert first.curve.name == "secp256r1"
    assert isinstance(second, rsa.RSAPrivateKey)
    assert second.key_size == 3072


@pytest.mark.parametrize("mode", [0o640, 0o644, 0o604, 0o660, 0o700, 0o602, 0o4600])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "signing.key"
    write_private_key(path, generate_key())
    path.chmod(mode)
    error = refused(path)
    assert error.reason == "key-file-permissions"
    assert f"{mode:04o}" in error.message
    assert f"chmod 600 {path}" in error.advice


def test_a_read_only_key_is_accepted_also_through_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "signing.key", tmp_path / "link.key"
    write_private_key(path, generate_key())
    path.chmod(0o400)
    link.symlink_to(path)
    load_private_key(link)
    path.chmod(0o444)
    assert refused(link).reason == "key-file-permissions"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_key_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    write_private_key(path, generate_key())
    os.chown(path, 12345, -1)
    assert refused(path).reason == "key-file-permissions"


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    write_private_key(path, generate_key())
    before = path.read_bytes()
    with pytest.raises(KeyFileError) as caught:
        write_private_key(path, generate_key())
    assert caught.value.reason == "key-file-exists"
    assert path.read_bytes() == before


def test_passphrases_are_checked(tmp_path: Path) -> None:
    open_key, closed_key = tmp_path / "open.key", tmp_path / "closed.key"
    write_private_key(open_key, generate_key())
    write_private_key(closed_key, generate_key(), b"right")
    for path, passphrase in ((closed_key, None), (closed_key, b"wrong"), (open_key, b"needless")):
        error = refused(path, passphrase)
        assert error.reason == "key-file-passphrase"
        assert "wrong" not in str(error)
        assert "needless" not in str(error)


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    assert refused(path).reason == "key-file-missing"
    assert refused(tmp_path).reason == "key-file-unreadable"
    write_atomically(path, b"not a key", 0o600)
    assert refused(path).reason == "key-file-malformed"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    assert refused(pipe).reason == "key-file-unreadable"


def test_passphrase_from_file_or_environment(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    write_atomically(path, "clave ñandú\n".encode(), 0o600)
    assert load_passphrase(path) == "clave ñandú".encode()
    assert load_passphrase(None, "XACBE_TEST", {"XACBE_TEST": "secret"}) == b"secret"
    assert load_passphrase(None, "XACBE_TEST", {}) is None
    with pytest.raises(KeyFileError) as twice:
        load_passphrase(path, "XACBE_TEST", {"XACBE_TEST": "secret"})
    assert twice.value.reason == "passphrase-ambiguous"
    assert "secret" not in str(twice.value)
    path.chmod(0o644)
    with pytest.raises(KeyFileError) as exposed:
        load_passphrase(path)
    assert exposed.value.reason == "key-file-permissions"
    with pytest.raises(KeyFileError) as empty:
        load_passphrase(None, "XACBE_TEST", {"XACBE_TEST": ""})
    assert empty.value.reason == "passphrase-empty"


def test_atomic_writing_replaces_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.asice"
    write_atomically(path, b"old")
    with path.open("rb") as reader:
        write_atomically(path, b"new and longer", 0o640)
        # Whoever has the old file open keeps the old content whole.
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new and longer"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_writing_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "is-a-folder"
    folder.mkdir()
    with pytest.raises(FileWriteError) as caught:
        write_atomically(folder, b"data")
    assert caught.value.reason == "file-not-written"
    assert list(tmp_path.iterdir()) == [folder]
    with pytest.raises(FileWriteError) as missing:
        write_atomically(tmp_path / "absent" / "file", b"data")
    assert str(tmp_path / "absent") in missing.value.advice


def test_a_huge_file_is_not_taken_for_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    write_atomically(path, bytes(65537), 0o600)
    with pytest.raises(KeyFileError) as caught:
        read_secret_file(path)
    assert caught.value.reason == "key-file-unreadable"
