"""Reading status requests (RFC 6960, 4.1; RFC 5019, 2.1; RFC 9654 for nonces)."""

import base64
import binascii
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from ocsp.errors import MalformedRequestError, UnservedIssuerError

LONGEST_NONCE: Final = 128
"""The longest nonce, in bytes, that RFC 9654 (2.1) allows; the shortest is 1."""


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """A question about one certificate: its issuer by two digests, its serial number, and a nonce to echo or None."""

    hash_algorithm: hashes.HashAlgorithm
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int
    nonce: bytes | None


def read_request(der: bytes) -> StatusRequest:
    """Read an OCSPRequest. One that asks about several certificates is refused, as RFC 5019 (2.1.1) allows.

    A signature on the request is not looked at: everybody may ask. Raises MalformedRequestError
    (`ocsp-request-malformed`), and UnservedIssuerError when the issuer is named by an unknown digest.
    """
    try:
        request = ocsp.load_der_ocsp_request(der)
        extensions = request.extensions
    except (ValueError, TypeError, NotImplementedError, x509.DuplicateExtension) as error:
        raise _malformed(f"It is not an OCSP request about one certificate: {error}.") from error
    try:
        algorithm = request.hash_algorithm
    except UnsupportedAlgorithm as error:
        raise UnservedIssuerError("ocsp-issuer-not-served", "The issuer is named by a digest unknown here.") from error
    nonce = None
    for extension in extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            nonce = extension.value.nonce
        elif extension.critical:
            raise _malformed(f"It has the critical extension {extension.oid.dotted_string}.")
    if nonce is not None and not 1 <= len(nonce) <= LONGEST_NONCE:
        raise _malformed(f"Its nonce has {len(nonce)} bytes; 1 to {LONGEST_NONCE} are allowed.")
    if request.serial_number <= 0:
        raise _malformed("Its serial number is not a positive number.")
    return StatusRequest(algorithm, request.issuer_name_hash, request.issuer_key_hash, request.serial_number, nonce)


def request_in_path(raw_path: bytes) -> bytes:
    """The DER of a GET request: its path is the percent-encoded base64 form (RFC 6960, A.1).

    Raises MalformedRequestError.
    """
    try:
        # Only the first slash separates: base64 has slashes of its own, which some clients do not encode.
        return base64.b64decode(unquote_to_bytes(raw_path).removeprefix(b"/"), validate=True)
    except binascii.Error as error:
        raise _malformed("Its path is not base64.") from error


def _malformed(why: str) -> MalformedRequestError:
    return MalformedRequestError("ocsp-request-malformed", f"The request cannot be answered. {why}")
