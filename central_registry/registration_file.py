"""The registration file: members, their subsystems, services and servers, declared in TOML.

instance = "QROO"

[[members]]
class = "EST"
code = "SSP"
name = "Secretaría de Seguridad Ciudadana"

[[members.subsystems]]
code = "vehiculos"
services = [{ code = "placas", title = "Vehicles by plate number" }]

[[members.servers]]
code = "gw1"
address = "gw1.ssp.example:5500"
clients = ["QROO/EST/SSP/vehiculos"]
"""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from central_registry.errors import RegistrationFileError
from central_registry.toml_places import Place, line_of, path_text
from estamp.errors import IdentifierError
from estamp.identifiers import ClientId, MemberId, ServerId, is_strict

Problem = tuple[Place, str]


def _strict(value: str) -> str:
    if not is_strict(value):
        raise ValueError("only the characters A-Z a-z 0-9 ' ( ) + , - . = ? are allowed, and not . or .. alone")
    return value


def _host_and_port(value: str) -> str:
    try:
        parts = urlsplit(f"//{value}")
        complete = bool(parts.hostname) and parts.port is not None and parts.port > 0 and parts.netloc == value
    except ValueError:
        complete = False
    if not complete or "@" in value or any(character.isspace() for character in value):
        raise ValueError("host:port is needed, for example gateway.example:5500")
    return value


Code = Annotated[str, AfterValidator(_strict)]
Label = Annotated[str, Field(max_length=255)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServiceEntry(_Part):
    """A service; `description_sha256` is the digest of its OpenAPI description, which is fetched by it."""

    code: Code
    title: Label = ""
    description_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class SubsystemEntry(_Part):
    """A subsystem and its services."""

    code: Code
    name: Label = ""
    services: tuple[ServiceEntry, ...] = ()


class ServerEntry(_Part):
    """A security server: its address for peers, and the clients it hosts (`instance/class/member[/subsystem]`)."""

    code: Code
    address: Annotated[str, Field(max_length=300), AfterValidator(_host_and_port)]
    clients: tuple[str, ...] = ()


class MemberEntry(_Part):
    """A member with what it runs."""

    member_class: Annotated[Code, Field(alias="class")]
    code: Code
    name: Annotated[str, Field(min_length=1, max_length=255)]
    subsystems: tuple[SubsystemEntry, ...] = ()
    servers: tuple[ServerEntry, ...] = ()


class Registration(_Part):
    """The whole file."""

    instance: Code
    members: tuple[MemberEntry, ...] = ()

    def member_id(self, member: MemberEntry) -> MemberId:
        """The identifier of one of its members."""
        return MemberId(self.instance, member.member_class, member.code)

    def server_id(self, member: MemberEntry, server: ServerEntry) -> ServerId:
        """The identifier of a server of one of its members."""
        return ServerId(self.instance, member.member_class, member.code, server.code)


def read_registration(path: Path, instance: str) -> Registration:
    """Read and check the file; raises RegistrationFileError that names every fault with its line and key.

    Whether the clients of a server exist is judged where the database is known.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise RegistrationFileError(
            "registration-file-unreadable",
            f"{path} cannot be read: {error.strerror}.",
            "Check its name and its rights.",
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RegistrationFileError(
            "registration-file-malformed", f"{path} is not TOML: {error}.", "Correct that place; nothing was changed."
        ) from None
    try:
        registration = Registration.model_validate(values)
    except ValidationError as error:
        raise refuse(path, text, [_problem(detail["loc"], detail) for detail in error.errors()]) from None
    problems = list(_contradictions(registration, instance))
    if problems:
        raise refuse(path, text, problems)
    return registration


def refuse(path: Path, text: str, problems: Sequence[Problem]) -> RegistrationFileError:
    """The error that tells each problem with the line and the key it stands at."""
    lines = [f"  {path}, line {line_of(text, place)}: {path_text(place)}: {what}" for place, what in problems]
    return RegistrationFileError(
        "registration-file-invalid",
        "The registration file cannot be used:\n" + "\n".join(lines) + "\n",
        "Correct it and apply it again; nothing was changed.",
    )


def _problem(place: Place, detail: object) -> Problem:
    kind, message = detail["type"], str(detail["msg"])  # type: ignore[index]
    if kind == "extra_forbidden":
        return place, "unknown key"
    if kind == "missing":
        return place, "missing"
    return place, message.removeprefix("Value error, ")


def _contradictions(registration: Registration, instance: str) -> Iterator[Problem]:
    if registration.instance != instance:
        yield ("instance",), f"this registry keeps the instance {instance}"
    yield from _repeated(("members",), [f"{each.member_class}/{each.code}" for each in registration.members])
    for number, member in enumerate(registration.members):
        below: Place = ("members", number)
        yield from _repeated((*below, "subsystems"), [each.code for each in member.subsystems])
        for inner, subsystem in enumerate(member.subsystems):
            yield from _repeated((*below, "subsystems", inner, "services"), [each.code for each in subsystem.services])
        yield from _repeated((*below, "servers"), [each.code for each in member.servers])
        for inner, server in enumerate(member.servers):
            yield from _bad_clients((*below, "servers", inner, "clients"), server.clients, registration.instance)


def _repeated(place: Place, codes: Sequence[str]) -> Iterator[Problem]:
    for number, code in enumerate(codes):
        if code in codes[:number]:
            yield (*place, number, "code"), f"{code!r} stands there twice"


def _bad_clients(place: Place, clients: Sequence[str], instance: str) -> Iterator[Problem]:
    for number, text in enumerate(clients):
        try:
            client = ClientId.parse(text)
        except IdentifierError as error:
            yield (*place, number), error.message
            continue
        if str(client) != text:
            yield (*place, number), f"write it as {client}"
        elif client.instance != instance:
            yield (*place, number), f"it is not of the instance {instance}"
        elif text in clients[:number]:
            yield (*place, number), f"{text!r} stands there twice"
