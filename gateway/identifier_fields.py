"""Identifiers as fields of pydantic models: written as text, held as identifiers."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import BeforeValidator

from estamp.errors import IdentifierError
from estamp.identifiers import ClientId, MemberId, ServerId

T = TypeVar("T")


def _parsed_by(parse: Callable[[str], T], kind: type[T], form: str) -> BeforeValidator:
    def read(value: object) -> T:
        if isinstance(value, kind):
            return value
        if not isinstance(value, str):
            raise ValueError(f"must be a text of the form {form}")
        try:
            return parse(value)
        except IdentifierError as error:
            raise ValueError(f"must be of the form {form}: {error.message}") from None

    return BeforeValidator(read)


def _parse_subsystem(text: str) -> ClientId:
    found = ClientId.parse(text)
    if found.subsystem_code is None:
        raise IdentifierError("identifier-malformed", f"{text!r} names a member, not one of its subsystems")
    return found


MemberField = Annotated[MemberId, _parsed_by(MemberId.parse, MemberId, "instance/class/member")]
"""A member."""
SubsystemField = Annotated[ClientId, _parsed_by(_parse_subsystem, ClientId, "instance/class/member/subsystem")]
"""A subsystem; a member alone is refused."""
ServerField = Annotated[ServerId, _parsed_by(ServerId.parse, ServerId, "instance/class/owner/server")]
"""A security server."""
