"""What was found out about a certificate once: the same few stand in every message.

Everything kept here is a pure function of the certificates' own bytes, and is kept under them. Whatever depends on a
time or on a catalogue is judged anew each time; refusals are never kept.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography import x509

from estamp import certificates
from estamp.errors import CertificateError
from estamp.status import StatusAnswer, read_answer

_MOST: Final = 512
_MOST_STATUSES: Final = 256

load_certificate = lru_cache(_MOST)(certificates.load_certificate)
kind_of = lru_cache(_MOST)(certificates.kind_of)
instance_of = lru_cache(_MOST)(certificates.instance_of)
signer_of = lru_cache(_MOST)(certificates.signer_of)
server_of = lru_cache(_MOST)(certificates.server_of)
fingerprint = lru_cache(_MOST)(certificates.fingerprint)
key_fingerprint = lru_cache(_MOST)(certificates.key_fingerprint)


def check_chain(
    leaf: x509.Certificate, intermediates: Sequence[x509.Certificate], root: x509.Certificate, at: datetime
) -> x509.Certificate:
    """As :func:`estamp.certificates.check_chain`, but the signatures of a chain are verified once."""
    try:
        issuer, begins, ends = _chain(leaf, tuple(intermediates), root)
    except CertificateError:
        # Perhaps only not at the moment tried there; the check at the right moment tells the right reason.
        return certificates.check_chain(leaf, intermediates, root, at)
    if begins <= at <= ends:
        return issuer
    return certificates.check_chain(leaf, intermediates, root, at)


@lru_cache(_MOST_STATUSES)
def read_status(der: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> StatusAnswer:
    """As :func:`estamp.status.read_answer` for kept evidence: under load, many messages bring the same answer."""
    return read_answer(der, certificate, issuer, nonce=None)


@lru_cache(_MOST)
def _chain(
    leaf: x509.Certificate, intermediates: tuple[x509.Certificate, ...], root: x509.Certificate
) -> tuple[x509.Certificate, datetime, datetime]:
    """The leaf's issuer, and the time in which every certificate of the chain is valid."""
    moment = max(each.not_valid_before_utc for each in (leaf, *intermediates, root))
    issuer = certificates.check_chain(leaf, intermediates, root, moment)
    path = (leaf, issuer, root)
    return issuer, max(each.not_valid_before_utc for each in path), min(each.not_valid_after_utc for each in path)
