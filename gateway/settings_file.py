"""A new settings file for a gateway, with what cannot be guessed and nothing else."""

import json
from collections.abc import Sequence
from pathlib import Path

from estamp.identifiers import MemberId, ServerId
from gateway.errors import EnrolmentError


def write_settings_file(path: Path, server: str, members: Sequence[str]) -> None:
    """Write the settings of the gateway `server` (instance/class/owner/server) that seals for `members`.

    Without members it seals for its owner alone. Keys, database and catalogue will lie in ``state`` beside the file.
    Raises IdentifierError; EnrolmentError (``file-exists``) when there is something at `path`; OSError.
    """
    lines = [
        "# Every key and its default: config/gateway.toml in the project.",
        f"server = {_text(str(ServerId.parse(server)))}",
        'state_directory = "state"',
    ]
    for member in members:
        lines += ["", "[[signing]]", f"member = {_text(str(MemberId.parse(member)))}"]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    except FileExistsError:
        raise EnrolmentError(
            "file-exists", f"{path} exists already and is not overwritten.", "Leave --write-config out to use it."
        ) from None


def _text(value: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which no identifier holds.
    return json.dumps(value, ensure_ascii=False)
