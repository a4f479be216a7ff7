"""Finding members and servers in the database by their identifiers."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_registry.errors import UnknownPartyError
from central_registry.models import Member, Server
from estamp.identifiers import MemberId, ServerId

_LIST = "`xacbe registry catalogue show` lists who is registered."


def find_member(session: Session, member: MemberId) -> Member:
    """The member's row; raises UnknownPartyError (`unknown-member`)."""
    row = session.scalar(
        select(Member).where(Member.member_class == member.member_class, Member.code == member.member_code)
    )
    if row is None:
        raise UnknownPartyError("unknown-member", f"There is no member {member}.", _LIST)
    return row


def find_server(session: Session, server: ServerId) -> Server:
    """The server's row; raises UnknownPartyError (`unknown-server`)."""
    row = session.scalar(
        select(Server)
        .join(Server.owner)
        .where(
            Member.member_class == server.member_class,
            Member.code == server.member_code,
            Server.code == server.server_code,
        )
    )
    if row is None:
        raise UnknownPartyError("unknown-server", f"There is no server {server}.", _LIST)
    return row


def require_instance(instance: str, identifier: MemberId | ServerId) -> None:
    """Refuse an identifier of another instance; raises UnknownPartyError (`unknown-instance`)."""
    if identifier.instance != instance:
        raise UnknownPartyError(
            "unknown-instance",
            f"{identifier} is of instance {identifier.instance}; this registry keeps {instance}.",
            f"Write it as {instance}/…",
        )
