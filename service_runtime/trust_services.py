"""Which time-stamping authorities and status responders there are to ask."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from estamp.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class TrustServiceAddress:
    """Where a TSA or a status responder listens (``http://…``) and the certificate it must answer with."""

    address: str
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class TrustServices:
    """The TSAs and status responders to ask, each kind in its order."""

    timestamp_authorities: Sequence[TrustServiceAddress]
    status_responders: Sequence[TrustServiceAddress]

    @classmethod
    def of(cls, catalogue: Catalogue) -> "TrustServices":
        """Those that a catalogue lists."""
        return cls(
            [TrustServiceAddress(each.address, each.x509) for each in catalogue.timestamp_authorities],
            [TrustServiceAddress(each.address, each.x509) for each in catalogue.status_responders],
        )
