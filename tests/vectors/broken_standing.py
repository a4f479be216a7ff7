"""Vectors judged on arrival: good evidence, but of parties that the newest catalogue does not let take part."""

from collections.abc import Iterator

from estamp.certificates import Kind
from estamp.identifiers import MemberId, ServerId
from estamp.message import Direction, RequestHead, entries
from tests.breaking import CLIENT, TARGET, Stamped, request_headers
from tests.pki import Credential
from tests.vectors.scene import CLOSED_SERVER, SUSPENDED, SUSPENDED_SERVER, Case, Scene


def cases(scene: Scene) -> Iterator[Case]:
    """Make them."""
    pki = scene.pki
    struck = pki.signing_for(MemberId("QROO", "MUN", "NOWHERE"), pki.server)
    suspended = pki.signing_for(SUSPENDED, SUSPENDED_SERVER)
    closed = pki.signing_for(pki.member, CLOSED_SERVER)
    unlisted = pki.signing_for(pki.member, ServerId("QROO", "MUN", "BENITO-JUAREZ", "gw9"))
    for name, what, reason, stamped in (
        ("certificate-revoked", "its certificate was revoked since", "certificate-revoked", _by(scene, scene.revoked)),
        ("member-suspended", "its member is suspended", "member-suspended", _by(scene, suspended, f"{SUSPENDED}/a")),
        ("member-unknown", "its member is not there", "member-unknown", _by(scene, struck, "QROO/MUN/NOWHERE/a")),
        ("server-suspended", "its server is suspended", "server-suspended", _by(scene, closed)),
        ("server-unknown", "its server is not there", "server-unknown", _by(scene, unlisted)),
        (
            "client-unknown",
            "its member has no such subsystem",
            "client-unknown",
            _by(scene, pki.signing, f"{pki.member}/x"),
        ),
        (
            "client-not-hosted",
            "its server does not host it",
            "client-not-hosted",
            _by(scene, pki.signing, str(pki.member)),
        ),
    ):
        yield Case(
            f"live-{name}",
            f"{what}, though its status answer says good",
            stamped.container(),
            reason,
            "standing",
            live=True,
        )
    yield Case(
        "live-tsa-not-listed",
        "timestamped by a TSA of the instance that the catalogue does not list",
        scene.request.but(tsa=pki.service(Kind.TSA)).container(),
        "timestamp-unknown-authority",
        "timestamp-authority",
        live=True,
    )
    yield Case(
        "live-responder-not-listed",
        "vouched for by a responder of the instance that the catalogue does not list",
        scene.request.but(responder=pki.service(Kind.OCSP)).container(),
        "status-unauthorised-responder",
        "status-responder",
        live=True,
    )


def _by(scene: Scene, signer: Credential, client: str = CLIENT) -> Stamped:
    head = RequestHead(request_headers(X_Road_Client=client), "GET", TARGET).encode()
    return scene.request.but(signer=signer, entries=tuple(entries(Direction.REQUEST, head, None, None)))
