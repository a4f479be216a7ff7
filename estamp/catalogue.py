"""The catalogue: who is in the instance, what they offer, and whom nobody may believe any more.

It is published as the one entry (``catalogue.json``) of a container stamped by the catalogue signer, with a version
that only grows and an expiry. :func:`estamp.verification.verify_catalogue` opens one; this module says what it holds.
"""

import base64
import binascii
from datetime import datetime
from functools import cached_property
from typing import Annotated, Self

from cryptography import x509
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from estamp.certificates import fingerprint, load_certificate
from estamp.errors import CatalogueError, EstampError
from estamp.identifiers import ClientId, MemberId, ServerId, ServiceId

CATALOGUE_ENTRY = "catalogue.json"
CATALOGUE_MEDIA_TYPE = "application/json"

_Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", ignored_types=(cached_property,))


class Service(_Part):
    """A service that a subsystem offers; ``description_sha256`` names its OpenAPI description, if it has one."""

    code: str
    title: str = ""
    type: str = "REST"
    description_sha256: _Fingerprint | None = None


class Subsystem(_Part):
    """A subsystem of a member, with what it offers."""

    code: str
    name: str = ""
    services: tuple[Service, ...] = ()


class Member(_Part):
    """A member; ``id`` is ``instance/class/code``. A suspended one may neither ask nor answer."""

    id: str
    name: str
    suspended: bool = False
    subsystems: tuple[Subsystem, ...] = ()


class Server(_Part):
    """A security server: ``id`` is ``instance/class/owner/server``, ``address`` is ``host:port`` of its peer port.

    ``authentication_certificates`` are SHA-256 fingerprints of the certificates it may present to peers,
    ``clients`` the subsystems and members that it hosts (``instance/class/member[/subsystem]``).
    """

    id: str
    address: str
    authentication_certificates: tuple[_Fingerprint, ...] = ()
    clients: tuple[str, ...] = ()
    suspended: bool = False


class TrustService(_Part):
    """A TSA or a status responder: its ``http://`` address and its certificate (DER in base64)."""

    address: str
    certificate: str

    @cached_property
    def x509(self) -> x509.Certificate:
        """The service's certificate; raises CatalogueError when it cannot be read."""
        return _certificate(self.certificate)


class Catalogue(_Part):
    """One version of the catalogue. Unknown members of the JSON are ignored, so that later versions may add some."""

    instance: str
    version: Annotated[int, Field(ge=1)]
    issued_at: AwareDatetime
    expires_at: AwareDatetime
    members: tuple[Member, ...] = ()
    servers: tuple[Server, ...] = ()
    certification_authorities: tuple[str, ...] = ()
    timestamp_authorities: tuple[TrustService, ...] = ()
    status_responders: tuple[TrustService, ...] = ()
    revoked_certificates: frozenset[_Fingerprint] = frozenset()
    minimum_software_version: str = "0.1.0"
    next_catalogue_signer_key: _Fingerprint | None = None

    @classmethod
    def load(cls, data: bytes) -> Self:
        """Read ``catalogue.json``; raises CatalogueError (``catalogue-malformed``)."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            detail = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(step) for step in detail["loc"]) or "the file"
            raise CatalogueError("catalogue-malformed", f"This is not a catalogue: {where}: {detail['msg']}") from None

    def dump(self) -> bytes:
        """The JSON that is stamped and published."""
        return self.model_dump_json(exclude_none=True).encode()

    def expired(self, at: datetime) -> bool:
        """Whether nobody may rely on this version at the moment ``at``."""
        return at >= self.expires_at

    def member(self, member: MemberId) -> Member | None:
        """The member's entry, or None when it is not in the instance."""
        return self._members.get(str(member))

    def subsystem(self, client: ClientId) -> Subsystem | None:
        """The entry of a subsystem, or None when there is none of that name."""
        member = self.member(client.member)
        if member is None:
            return None
        return next((each for each in member.subsystems if each.code == client.subsystem_code), None)

    def service(self, service: ServiceId) -> Service | None:
        """The entry of a service, or None when the catalogue does not list it."""
        subsystem = self.subsystem(service.provider)
        if subsystem is None:
            return None
        return next((each for each in subsystem.services if each.code == service.service_code), None)

    def server(self, server: ServerId) -> Server | None:
        """The entry of a security server, or None when it is not registered."""
        return self._servers.get(str(server))

    def servers_of(self, client: ClientId) -> list[Server]:
        """The security servers that host a client, in the catalogue's order, suspended ones too."""
        return self._hosts.get(str(client), [])

    def server_with(self, certificate_fingerprint: str) -> Server | None:
        """The server that presents the authentication certificate of this fingerprint, or None."""
        return self._by_certificate.get(certificate_fingerprint)

    def knows_client(self, client: ClientId) -> bool:
        """Whether the client is a member of the instance, or a subsystem of one."""
        if client.subsystem_code is None:
            return self.member(client.member) is not None
        return self.subsystem(client) is not None

    @cached_property
    def certification_authority_fingerprints(self) -> frozenset[str]:
        """Fingerprints of the issuing CAs that are in use."""
        return frozenset(fingerprint(_certificate(each)) for each in self.certification_authorities)

    @cached_property
    def timestamp_authority_fingerprints(self) -> frozenset[str]:
        """Fingerprints of the certificates of the TSAs that are in use."""
        return frozenset(fingerprint(each.x509) for each in self.timestamp_authorities)

    @cached_property
    def status_responder_fingerprints(self) -> frozenset[str]:
        """Fingerprints of the certificates of the status responders that are in use."""
        return frozenset(fingerprint(each.x509) for each in self.status_responders)

    @cached_property
    def _members(self) -> dict[str, Member]:
        return {each.id: each for each in self.members}

    @cached_property
    def _servers(self) -> dict[str, Server]:
        return {each.id: each for each in self.servers}

    @cached_property
    def _hosts(self) -> dict[str, list[Server]]:
        hosts: dict[str, list[Server]] = {}
        for server in self.servers:
            for client in server.clients:
                hosts.setdefault(client, []).append(server)
        return hosts

    @cached_property
    def _by_certificate(self) -> dict[str, Server]:
        return {each: server for server in self.servers for each in server.authentication_certificates}


def _certificate(encoded: str) -> x509.Certificate:
    try:
        return load_certificate(base64.b64decode(encoded, validate=True))
    except (binascii.Error, EstampError) as error:
        raise CatalogueError("catalogue-malformed", f"The catalogue holds an unreadable certificate: {error}") from None
