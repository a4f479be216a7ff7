"""Private keys on disk, and files that are either whole or not there.

A private key is made where it is used and never travels, so its file must be readable by its owner alone: reading
refuses anything wider, writing never overwrites.
"""

import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from service_runtime.errors import FileWriteError, KeyFileError

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
"""The kinds of private key that the services sign and authenticate with."""

KeyKind = Literal["ec-p256", "rsa-3072"]
"""The kinds of key that can be made: ECDSA P-256 (the default everywhere) and RSA with 3072 bits."""

_LARGEST_SECRET_FILE = 64 * 1024


def generate_key(kind: KeyKind = "ec-p256") -> PrivateKey:
    """Make a new private key of `kind`."""
    if kind == "ec-p256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


def load_private_key(path: Path, passphrase: bytes | None = None) -> PrivateKey:
    """Read a PEM private key (PKCS#8 or traditional) from a file that only its owner can read.

    Raises KeyFileError: ``key-file-missing``, ``key-file-permissions``, ``key-file-unreadable``,
    ``key-file-passphrase`` (needed, wrong, or given for a key that has none) or ``key-file-malformed``.
    """
    data = read_secret_file(path)
    try:
        key = serialization.load_pem_private_key(data, password=passphrase)
    except TypeError:
        # cryptography answers TypeError both for a missing passphrase and for a needless one.
        if passphrase is None:
            state, advice = "is encrypted", "Give its passphrase (a passphrase file or variable)."
        else:
            state, advice = "is not encrypted", "Remove the passphrase setting, or encrypt the key."
        raise KeyFileError("key-file-passphrase", f"The key in {path} {state}.", advice) from None
    except (ValueError, UnsupportedAlgorithm):
        if passphrase is not None and b"ENCRYPTED" in data:
            raise KeyFileError(
                "key-file-passphrase", f"The passphrase does not open the key in {path}.", "Check the passphrase."
            ) from None
        raise KeyFileError(
            "key-file-malformed",
            f"{path} holds no private key in PEM form.",
            "Restore the file from its backup, or make a new key and ask for a new certificate.",
        ) from None
    if not isinstance(key, PrivateKey):
        raise KeyFileError(
            "key-file-malformed", f"The key in {path} is neither ECDSA nor RSA.", "Make an ECDSA P-256 key."
        )
    return key


def write_private_key(path: Path, key: PrivateKey, passphrase: bytes | None = None) -> None:
    """Write `key` as PKCS#8 PEM to a new file with mode 0600, durable before this returns.

    With a passphrase the key is encrypted. An existing file is never overwritten: KeyFileError ``key-file-exists``;
    other failures are ``key-file-unwritable``, and leave no file behind.
    """
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    data = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise KeyFileError(
            "key-file-exists",
            f"{path} exists already, and a key is never overwritten.",
            "Move it away if it is no longer needed.",
        ) from None
    except OSError as error:
        raise _unwritable_key(path, error) from error
    try:
        _write_and_sync(descriptor, data, 0o600)
        _sync_folder(path.parent)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _unwritable_key(path, error) from error


def load_passphrase(
    file: Path | None, variable: str | None = None, environ: Mapping[str, str] = os.environ
) -> bytes | None:
    """The passphrase from `file` (0600, one line) or from the environment variable named `variable`; None if neither.

    Raises KeyFileError: those of `read_secret_file`, ``passphrase-empty``, or ``passphrase-ambiguous`` when both the
    file and the variable are there.
    """
    from_environment = environ.get(variable) if variable else None
    if file is None:
        if from_environment is None:
            return None
        passphrase, source = from_environment.encode(), f"The variable {variable}"
    elif from_environment is not None:
        raise KeyFileError(
            "passphrase-ambiguous",
            f"The passphrase is given twice: in the file {file} and in the variable {variable}.",
            "Keep one of them.",
        )
    else:
        passphrase, source = read_secret_file(file).rstrip(b"\r\n"), f"The passphrase file {file}"
    if not passphrase:
        raise KeyFileError("passphrase-empty", f"{source} is empty.", "Write the passphrase into it, or remove it.")
    return passphrase


def read_secret_file(path: Path) -> bytes:
    """The content of a file that belongs to this user and that nobody else may read or write.

    Modes 0600 and 0400 are accepted. Raises KeyFileError ``key-file-missing``, ``key-file-unreadable`` or
    ``key-file-permissions``.
    """
    try:
        # Everything is checked on the open file, not on the path, so that nobody can swap it in between; O_NONBLOCK so
        # that a FIFO in its place cannot hang the start.
        file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    except FileNotFoundError:
        raise KeyFileError(
            "key-file-missing", f"There is no file {path}.", "Check the path in the settings, or run the init command."
        ) from None
    except OSError as error:
        raise KeyFileError("key-file-unreadable", f"{path} cannot be read: {error.strerror}.") from error
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileError("key-file-unreadable", f"{path} is not a regular file.", "Name the file itself.")
        mode = stat.S_IMODE(status.st_mode)
        if mode & ~0o600:
            raise KeyFileError(
                "key-file-permissions",
                f"{path} has mode {mode:04o}, so others than its owner may use it.",
                f"Run: chmod 600 {path} (and replace the key if others could have read it).",
            )
        if status.st_uid != os.geteuid():
            raise KeyFileError(
                "key-file-permissions",
                f"{path} belongs to user {status.st_uid}, but this process runs as user {os.geteuid()}.",
                f"Run: chown {os.geteuid()} {path}",
            )
        data = file.read(_LARGEST_SECRET_FILE + 1)
    if len(data) > _LARGEST_SECRET_FILE:
        raise KeyFileError("key-file-unreadable", f"{path} is larger than {_LARGEST_SECRET_FILE} bytes.")
    return data


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace or make the file `path` with `data`, durable before this returns.

    A reader sees the old content or the new, never a part, also after a crash: the data goes to a new file in the
    same folder, is synced, renamed over `path`, and the folder is synced. Raises FileWriteError ``file-not-written``.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _write_and_sync(descriptor, data, mode)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise FileWriteError(
            "file-not-written",
            f"{path} could not be written: {error.strerror}.",
            f"Check that {path.parent} exists, belongs to this user and has free space.",
        ) from error


def _write_and_sync(descriptor: int, data: bytes, mode: int) -> None:
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    # A name is durable only when its folder is.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable_key(path: Path, error: OSError) -> KeyFileError:
    return KeyFileError(
        "key-file-unwritable",
        f"The key file {path} could not be written: {error.strerror}.",
        f"Check that {path.parent} exists and belongs to this user.",
    )
