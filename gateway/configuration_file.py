"""The file that `xacbe gateway apply` reads and `export` writes: the whole configuration as TOML."""

import json
import tomllib
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Annotated, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo

from estamp.certificates import fingerprint, load_certificate
from estamp.errors import CertificateError, IdentifierError
from estamp.identifiers import ClientId, MemberId, ServerId, ServiceId, is_strict
from gateway.base_url import normal_base_url
from gateway.configuration import (
    ANY_SUBSYSTEM,
    RESERVED_SERVICE_CODES,
    Configuration,
    InformationSystem,
    Service,
    service_id,
)
from gateway.errors import ConfigurationError
from gateway.identifier_fields import SubsystemField

_FOLDER = "folder"
_RESERVED = {code.casefold() for code in RESERVED_SERVICE_CODES}


def _require_usable_code(code: str) -> str:
    if not is_strict(code):
        raise ValueError("a service code has letters, digits and '()+,-.=? only")
    if code.casefold() in _RESERVED:
        raise ValueError(f"{code} is a metaservice of every gateway; choose another service code")
    return code


def _require_plain_text(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line without control characters")
    return text


def _require_client_pattern(text: str) -> str:
    try:
        if text.endswith(ANY_SUBSYSTEM):
            return f"{MemberId.parse(text.removesuffix(ANY_SUBSYSTEM))}{ANY_SUBSYSTEM}"
        return str(ClientId.parse(text))
    except IdentifierError as error:
        form = "instance/class/member[/subsystem], or instance/class/member/* for all its subsystems"
        raise ValueError(f"must be {form}: {error.message}") from None


def _read_certificate(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a path to a certificate file, or a certificate in PEM form")
    if value.lstrip().startswith("-----BEGIN"):
        data = value.encode()
    else:
        path: Path = (info.context or {})[_FOLDER] / Path(value).expanduser()
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ValueError(f"the file {path} cannot be read: {error.strerror}") from None
    try:
        return load_certificate(data)
    except CertificateError as error:
        raise ValueError(error.message) from None


def _without_repetition(values: list[Hashable]) -> list[Hashable]:
    for position, value in enumerate(values):
        if value in values[:position]:
            raise ValueError(f"{value} stands there twice")
    return values


_Text = Annotated[str, Field(max_length=500), AfterValidator(_require_plain_text)]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, arbitrary_types_allowed=True
    )


class _ServiceTable(_Part):
    subsystem: SubsystemField
    code: Annotated[str, AfterValidator(_require_usable_code)]
    base_url: Annotated[str, AfterValidator(normal_base_url)]
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    title: _Text = ""
    type: Literal["REST"] = "REST"
    allowed: Annotated[list[SubsystemField], AfterValidator(_without_repetition)] = []


class _InformationSystemTable(_Part):
    title: Annotated[_Text, Field(min_length=1)]
    certificate: Annotated[x509.Certificate, BeforeValidator(_read_certificate)]
    clients: Annotated[
        list[Annotated[str, AfterValidator(_require_client_pattern)]],
        Field(min_length=1),
        AfterValidator(_without_repetition),
    ]


class _File(_Part):
    services: list[_ServiceTable] = []
    information_systems: list[_InformationSystemTable] = []


def read_configuration_file(path: Path, server: ServerId) -> Configuration:
    """Read the configuration of the gateway `server` from a TOML file; paths in it are relative to its folder.

    Raises ConfigurationError (``configuration-malformed``) that names every key at fault and what is wrong with it.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _malformed(path, [f"the file cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _malformed(path, [f"the file is not TOML: {error}"]) from None
    try:
        file = _File.model_validate(values, context={_FOLDER: path.absolute().parent})
    except ValidationError as error:
        raise _malformed(path, [_describe(each["loc"], each["msg"], each["type"]) for each in error.errors()]) from None
    problems = [*_problems_of_services(file.services, server), *_problems_of_systems(file.information_systems)]
    if problems:
        raise _malformed(path, problems)
    return Configuration.of(
        (_service(each) for each in file.services), (_system(each) for each in file.information_systems)
    )


def write_configuration_file(configuration: Configuration) -> str:
    """The configuration as the TOML that `read_configuration_file` reads, certificates included."""
    lines: list[str] = []
    for service in sorted(configuration.services.values(), key=lambda each: each.id):
        lines += [
            "[[services]]",
            f"subsystem = {_text(str(service.id.provider))}",
            f"code = {_text(service.id.service_code)}",
            f"base_url = {_text(service.base_url)}",
            f"timeout_seconds = {service.timeout_seconds!r}",
            f"title = {_text(service.title)}",
            f"allowed = {_list(str(each) for each in service.allowed)}",
            "",
        ]
    for system in sorted(configuration.information_systems.values(), key=lambda each: (each.title, each.fingerprint)):
        pem = x509.load_der_x509_certificate(system.certificate).public_bytes(Encoding.PEM).decode()
        lines += [
            "[[information_systems]]",
            f"title = {_text(system.title)}",
            f"# SHA-256 {system.fingerprint}",
            f'certificate = """\n{pem}"""',
            f"clients = {_list(system.clients)}",
            "",
        ]
    return "\n".join(lines)


def _problems_of_services(services: list[_ServiceTable], server: ServerId) -> Iterable[str]:
    seen: dict[ServiceId, int] = {}
    for position, each in enumerate(services):
        if each.subsystem.instance != server.instance:
            yield f"services[{position}].subsystem: this gateway belongs to the instance {server.instance}"
        identifier = service_id(each.subsystem, each.code)
        first = seen.setdefault(identifier, position)
        if first != position:
            yield f"services[{position}]: {identifier} stands there twice, first as services[{first}]"


def _problems_of_systems(systems: list[_InformationSystemTable]) -> Iterable[str]:
    seen: dict[str, int] = {}
    for position, each in enumerate(systems):
        first = seen.setdefault(fingerprint(each.certificate), position)
        if first != position:
            yield (
                f"information_systems[{position}].certificate: it is that of information_systems[{first}] too; "
                "list all clients there"
            )


def _service(table: _ServiceTable) -> Service:
    return Service(
        id=service_id(table.subsystem, table.code),
        base_url=table.base_url,
        timeout_seconds=table.timeout_seconds,
        title=table.title,
        type=table.type,
        allowed=frozenset(table.allowed),
    )


def _system(table: _InformationSystemTable) -> InformationSystem:
    return InformationSystem(
        fingerprint=fingerprint(table.certificate),
        certificate=table.certificate.public_bytes(Encoding.DER),
        title=table.title,
        clients=frozenset(table.clients),
    )


def _describe(location: tuple[int | str, ...], message: str, kind: str) -> str:
    key = ""
    for step in location:
        key += f"[{step}]" if isinstance(step, int) else f"{'.' if key else ''}{step}"
    if kind == "extra_forbidden":
        return f"{key}: unknown key"
    if kind == "missing":
        return f"{key}: missing"
    return f"{key}: {message.removeprefix('Value error, ')}"


def _malformed(path: Path, problems: list[str]) -> ConfigurationError:
    return ConfigurationError(
        "configuration-malformed",
        f"{path} cannot be applied:\n" + "\n".join(f"  {each}" for each in problems) + "\n",
        "Nothing was changed. Correct these keys and apply the file again.",
    )


def _text(value: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which no text here can hold.
    return json.dumps(value, ensure_ascii=False)


def _list(values: Iterable[str]) -> str:
    return f"[{', '.join(_text(each) for each in sorted(values))}]"
