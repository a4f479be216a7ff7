"""What all vectors have in common: two hierarchies, one moment, and what a vector consists of."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from estamp.catalogue import Catalogue, Member, Server, Subsystem
from estamp.certificates import fingerprint
from estamp.identifiers import MemberId, ServerId
from tests.breaking import Instance, Stamped, answer, request
from tests.pki import Credential

MOMENT = dt.datetime(2026, 3, 2, 10, 0, 0, tzinfo=dt.UTC)
"""When every vector was signed, timestamped and vouched for, unless its description says otherwise."""

VERIFIED_AT = MOMENT + dt.timedelta(seconds=20)
"""The verifier's clock."""

SUSPENDED = MemberId("QROO", "MUN", "TULUM")
SUSPENDED_SERVER = ServerId("QROO", "MUN", "TULUM", "gw1")
CLOSED_SERVER = ServerId("QROO", "MUN", "BENITO-JUAREZ", "gw2")

BODY = b'{"placa":"UTR-123-A"}\n'


@dataclass(frozen=True)
class Case:
    """One vector: a container and what a verifier must say of it.

    `reason` and `check` (the name of the check that fails) are None for a valid one. `live` judges it as traffic just
    arrived, with the catalogue of catalogue.json; otherwise it is evidence and no catalogue is at hand. `catalogue`
    tells that the container is itself a published catalogue.
    """

    name: str
    what: str
    container: bytes
    reason: str | None = None
    check: str | None = None
    notes: tuple[str, ...] = ()
    live: bool = False
    catalogue: bool = False

    @property
    def expected(self) -> Mapping[str, object]:
        """What expected.json says of it."""
        return {
            "what": self.what,
            "kind": "catalogue" if self.catalogue else "message",
            "live": self.live,
            "valid": self.reason is None,
            "reason": self.reason,
            "check": self.check,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Scene:
    """The hierarchies, made anew: the instance's own, one that claims its name, and that of another instance."""

    pki: Instance = field(default_factory=lambda: _hierarchy("QROO"))
    foreign: Instance = field(default_factory=lambda: _hierarchy("QROO"))
    other_instance: Instance = field(default_factory=lambda: _hierarchy("YUC"))

    @cached_property
    def revoked(self) -> Credential:
        """A signing certificate of the member that asks, revoked since; its status answers still say good."""
        return self.pki.signing_for(self.pki.member, self.pki.server)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The newest catalogue at hand when the live vectors are judged."""
        usual = self.pki.catalogue(MOMENT)
        suspended = Member(id=str(SUSPENDED), name="Tulum", suspended=True, subsystems=(Subsystem(code="a"),))
        its_server = Server(id=str(SUSPENDED_SERVER), address="127.0.0.1:7500", clients=(f"{SUSPENDED}/a",))
        closed = Server(
            id=str(CLOSED_SERVER), address="127.0.0.1:8500", clients=(f"{self.pki.member}/patrullas",), suspended=True
        )
        return usual.model_copy(
            update={
                "members": (*usual.members, suspended),
                "servers": (*usual.servers, its_server, closed),
                "revoked_certificates": frozenset({fingerprint(self.revoked.certificate)}),
            }
        )

    @property
    def request(self) -> Stamped:
        """The usual request, without a body."""
        return request(self.pki, MOMENT)

    @property
    def request_with_body(self) -> Stamped:
        """A request with a body."""
        return request(self.pki, MOMENT, body=BODY)

    @property
    def answer(self) -> Stamped:
        """The usual answer."""
        return answer(self.pki, MOMENT)


def _hierarchy(instance: str) -> Instance:
    return Instance(instance, not_before=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), lifetime=dt.timedelta(days=3650))
