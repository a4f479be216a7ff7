"""The difference between two configurations, for people and for programs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.configuration import Configuration, InformationSystem, Service

Action = Literal["add", "change", "remove"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that appears, changes or goes: its kind, its name, and its fields before and after.

    They hold only what differs; ``before`` is empty for what is added, ``after`` for what is removed.
    """

    action: Action
    kind: Literal["service", "information system"]
    name: str
    before: Mapping[str, object]
    after: Mapping[str, object]


def changes_between(old: Configuration, new: Configuration) -> list[Change]:
    """What has to change so that `old` becomes `new`: services first, each kind by name. Empty when nothing does."""
    services = _changes(
        "service",
        {str(each.id): _service_fields(each) for each in old.services.values()},
        {str(each.id): _service_fields(each) for each in new.services.values()},
    )
    systems = _changes(
        "information system",
        {each.fingerprint: _system_fields(each) for each in old.information_systems.values()},
        {each.fingerprint: _system_fields(each) for each in new.information_systems.values()},
    )
    return services + systems


def _changes(
    kind: Literal["service", "information system"],
    old: Mapping[str, Mapping[str, object]],
    new: Mapping[str, Mapping[str, object]],
) -> list[Change]:
    found: list[Change] = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is None and after is not None:
            found.append(Change("add", kind, name, {}, after))
        elif after is None and before is not None:
            found.append(Change("remove", kind, name, before, {}))
        elif before is not None and after is not None and before != after:
            differing = [key for key in after if before[key] != after[key]]
            found.append(
                Change(
                    "change",
                    kind,
                    name,
                    {key: before[key] for key in differing},
                    {key: after[key] for key in differing},
                )
            )
    return found


def _service_fields(service: Service) -> dict[str, object]:
    return {
        "base_url": service.base_url,
        "timeout_seconds": service.timeout_seconds,
        "title": service.title,
        "type": service.type,
        "allowed": sorted(str(each) for each in service.allowed),
    }


def _system_fields(system: InformationSystem) -> dict[str, object]:
    return {"title": system.title, "clients": sorted(system.clients)}
