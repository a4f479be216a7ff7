"""Bringing the database to what a registration file says, and telling each difference.

Both sides are put into the same flat form, one item for each member, subsystem, service, server and hosted client;
what differs between the two is the list of changes. What is not in the file stays, unless it is asked to be pruned.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from central_registry.changes import Values, record_change, serialise
from central_registry.models import Certificate, Member, Server, ServerClient, Service, Subsystem
from central_registry.parties import find_member, find_server
from central_registry.registration_file import Problem, Registration, refuse
from central_registry.revocation import CESSATION, revoke_row
from estamp.identifiers import ClientId, MemberId, ServerId, ServiceId


class ItemKind(StrEnum):
    """The kinds of items, in the order in which they can be added."""

    MEMBER = "member"
    SUBSYSTEM = "subsystem"
    SERVICE = "service"
    SERVER = "server"
    HOSTING = "hosting"
    CERTIFICATE = "certificate"


class Action(StrEnum):
    """What becomes of an item; LEAVE is one that the file does not name and that was not pruned."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"
    REVOKE = "revoke"
    LEAVE = "leave"


Hosting = tuple[ServerId, ClientId]
Identity = MemberId | ClientId | ServiceId | ServerId | Hosting
Items = dict[tuple[ItemKind, Identity], Values]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: what becomes of the item of this kind and name, with its values before and after."""

    action: Action
    kind: ItemKind
    name: str
    before: Values | None
    after: Values | None


def declared_items(registration: Registration) -> Items:
    """The items of a registration file."""
    items: Items = {}
    for member in registration.members:
        identity = registration.member_id(member)
        items[ItemKind.MEMBER, identity] = {"name": member.name}
        for subsystem in member.subsystems:
            client = ClientId(identity.instance, identity.member_class, identity.member_code, subsystem.code)
            items[ItemKind.SUBSYSTEM, client] = {"name": subsystem.name}
            for service in subsystem.services:
                items[ItemKind.SERVICE, _service(client, service.code)] = {
                    "title": service.title,
                    "description_sha256": service.description_sha256,
                }
        for server in member.servers:
            name = registration.server_id(member, server)
            items[ItemKind.SERVER, name] = {"address": server.address}
            for hosted in server.clients:
                items[ItemKind.HOSTING, (name, ClientId.parse(hosted))] = {}
    return items


def registered_items(session: Session, instance: str) -> Items:
    """The items in the database."""
    items: Items = {}
    for member in session.scalars(select(Member)):
        parts = (instance, member.member_class, member.code)
        items[ItemKind.MEMBER, MemberId(*parts)] = {"name": member.name}
        for subsystem in member.subsystems:
            client = ClientId(*parts, subsystem.code)
            items[ItemKind.SUBSYSTEM, client] = {"name": subsystem.name}
            for service in subsystem.services:
                items[ItemKind.SERVICE, _service(client, service.code)] = {
                    "title": service.title,
                    "description_sha256": service.description_sha256,
                }
        for server in member.servers:
            name = ServerId(*parts, server.code)
            items[ItemKind.SERVER, name] = {"address": server.address}
            for hosted in server.clients:
                items[ItemKind.HOSTING, (name, ClientId.parse(hosted.client))] = {}
    return items


def apply_registration(
    session: Session, registration: Registration, path: Path, now: datetime, *, prune: bool
) -> list[Change]:
    """Make the database say what the file says, and tell what changed; the caller commits (or not, for a trial).

    With `prune`, what the file does not name is removed, and the certificates of removed members and servers are
    revoked. Raises RegistrationFileError when a server is to host a client that does not exist.
    """
    serialise(session)
    wanted, present = declared_items(registration), registered_items(session, registration.instance)
    _require_clients(registration, path, wanted if prune else {**present, **wanted})
    changes: list[Change] = []
    for kind, identity in _in_order(wanted):
        before, after = present.get((kind, identity)), wanted[kind, identity]
        if before == after:
            continue
        _write(session, identity, after, is_new=before is None)
        action = Action.ADD if before is None else Action.CHANGE
        changes.append(_recorded(session, action, kind, identity, before, after))
    for kind, identity in reversed(_in_order(present.keys() - wanted.keys())):
        before = present[kind, identity]
        if not prune:
            changes.append(Change(Action.LEAVE, kind, name_of(identity), before, None))
            continue
        changes += _revoke_certificates(session, identity, now)
        _remove(session, identity)
        changes.append(_recorded(session, Action.REMOVE, kind, identity, before, None))
    return changes


def name_of(identity: Identity) -> str:
    """The name of an item as people read it."""
    return f"{identity[0]} hosts {identity[1]}" if isinstance(identity, tuple) else str(identity)


def _require_clients(registration: Registration, path: Path, known: Mapping[tuple[ItemKind, Identity], Values]) -> None:
    problems: list[Problem] = []
    for number, member in enumerate(registration.members):
        for inner, server in enumerate(member.servers):
            for position, text in enumerate(server.clients):
                client = ClientId.parse(text)
                exists = (
                    (ItemKind.MEMBER, client.member) in known
                    if client.subsystem_code is None
                    else (ItemKind.SUBSYSTEM, client) in known
                )
                if not exists:
                    place = ("members", number, "servers", inner, "clients", position)
                    problems.append((place, f"there is no {text}; declare it as a member or subsystem too"))
    if problems:
        raise refuse(path, path.read_text(encoding="utf-8"), problems)


def _service(client: ClientId, code: str) -> ServiceId:
    assert client.subsystem_code is not None
    return ServiceId(client.instance, client.member_class, client.member_code, client.subsystem_code, code)


def _in_order(keys: Iterable[tuple[ItemKind, Identity]]) -> list[tuple[ItemKind, Identity]]:
    kinds = list(ItemKind)
    return sorted(keys, key=lambda key: (kinds.index(key[0]), name_of(key[1])))


def _recorded(
    session: Session, action: Action, kind: ItemKind, identity: Identity, before: Values | None, after: Values | None
) -> Change:
    record_change(session, f"{action}-{kind}", name_of(identity), before, after)
    return Change(action, kind, name_of(identity), before, after)


def _write(session: Session, identity: Identity, values: Values, *, is_new: bool) -> None:
    if is_new:
        session.add(_new_row(session, identity))
        session.flush()
    row = _row(session, identity)
    for column, value in values.items():
        setattr(row, column, value)
    session.flush()


def _remove(session: Session, identity: Identity) -> None:
    session.delete(_row(session, identity))
    session.flush()
    # The lists of the rows above still hold it.
    session.expire_all()


def _new_row(session: Session, identity: Identity) -> Member | Subsystem | Service | Server | ServerClient:
    match identity:
        case MemberId():
            return Member(member_class=identity.member_class, code=identity.member_code, name="")
        case ClientId(subsystem_code=str(code)):
            return Subsystem(member=find_member(session, identity.member), code=code)
        case ServiceId():
            return Service(subsystem=_subsystem(session, identity.provider), code=identity.service_code)
        case ServerId():
            return Server(owner=find_member(session, identity.owner), code=identity.server_code, address="")
        case (server, client):
            subsystem = None if client.subsystem_code is None else _subsystem(session, client).id
            return ServerClient(
                server=find_server(session, server),
                client=str(client),
                member_id=find_member(session, client.member).id,
                subsystem_id=subsystem,
            )
        case _:
            raise AssertionError(f"no item: {identity!r}")


def _row(session: Session, identity: Identity) -> Member | Subsystem | Service | Server | ServerClient:
    match identity:
        case MemberId():
            return find_member(session, identity)
        case ClientId():
            return _subsystem(session, identity)
        case ServiceId():
            rows = _subsystem(session, identity.provider).services
            return next(row for row in rows if row.code == identity.service_code)
        case ServerId():
            return find_server(session, identity)
        case (server, client):
            return next(row for row in find_server(session, server).clients if row.client == str(client))


def _subsystem(session: Session, client: ClientId) -> Subsystem:
    return next(row for row in find_member(session, client.member).subsystems if row.code == client.subsystem_code)


def _revoke_certificates(session: Session, identity: Identity, now: datetime) -> list[Change]:
    """Revoke what a member or server that leaves could still show to somebody with an old catalogue."""
    if not isinstance(identity, MemberId | ServerId):
        return []
    rows = session.scalars(
        select(Certificate).where(
            or_(Certificate.server == str(identity), Certificate.member == str(identity)),
            Certificate.revoked_at.is_(None),
        )
    ).all()
    for row in rows:
        revoke_row(session, row, CESSATION, now)
    return [
        Change(Action.REVOKE, ItemKind.CERTIFICATE, row.fingerprint, {"holder": row.holder}, {"reason": CESSATION})
        for row in rows
    ]
