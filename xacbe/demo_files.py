"""The settings and registration files of the demo, as an administrator would write them for one machine."""

import json
from pathlib import Path
from typing import Final

from xacbe.demo_ports import CONSUMER, HOST, PROVIDER, Ports

INSTANCE: Final = "QROO"
MUNICIPALITY: Final = "QROO/MUN/BENITO-JUAREZ"
SECRETARIAT: Final = "QROO/EST/SSP"
CLIENT: Final = f"{MUNICIPALITY}/patrullas"
WITHOUT_RIGHT: Final = f"{MUNICIPALITY}/sin-permiso"
PROVIDING_SUBSYSTEM: Final = f"{SECRETARIAT}/vehiculos"
SERVICE: Final = f"{PROVIDING_SUBSYSTEM}/placas"

MEMBERS: Final = {CONSUMER: MUNICIPALITY, PROVIDER: SECRETARIAT}
"""The member that runs each of the two gateways."""

SERVERS: Final = {CONSUMER: f"{MUNICIPALITY}/gw1", PROVIDER: f"{SECRETARIAT}/gw1"}
"""The identifiers of the two gateways."""


def _quoted(value: str | Path) -> str:
    # A JSON string is a TOML basic string, but for DEL, which nothing here holds.
    return json.dumps(str(value), ensure_ascii=False)


def registry_settings(ports: Ports) -> str:
    """The registry's settings; its state lies in state/ beside them."""
    return f"""\
instance = "{INSTANCE}"
operator = "Xacbe demo"
state = "state"

[addresses]
registry = ["{ports.registry.url}"]
timestamp_authorities = ["{ports.tsa.url}/"]
status_responders = ["{ports.ocsp.url}/"]

[listen]
host = "{HOST}"
port = {ports.registry.port}

[management]
port = {ports.registry_management.port}
"""


def registration(ports: Ports) -> str:
    """The members, their subsystems, services and gateways."""
    return f"""\
instance = "{INSTANCE}"

[[members]]
class = "MUN"
code = "BENITO-JUAREZ"
name = "Municipio de Benito Juárez"
subsystems = [
    {{ code = "patrullas", name = "Patrol cars" }},
    {{ code = "sin-permiso", name = "Without any access right" }},
]
servers = [
    {{ code = "gw1", address = "{HOST}:{ports.peers(CONSUMER).port}", clients = ["{CLIENT}", "{WITHOUT_RIGHT}"] }},
]

[[members]]
class = "EST"
code = "SSP"
name = "Secretaría de Seguridad Ciudadana"
subsystems = [
    {{ code = "vehiculos", name = "Vehicles", services = [{{ code = "placas", title = "Vehicles by plate" }}] }},
]
servers = [
    {{ code = "gw1", address = "{HOST}:{ports.peers(PROVIDER).port}", clients = ["{PROVIDING_SUBSYSTEM}"] }},
]
"""


def tsa_settings(ports: Ports, handed_over: Path) -> str:
    """The time-stamping authority's settings; ``handed_over`` is the folder that the registry made for it."""
    return f"""\
log_level = "warning"

[signing]
certificate = {_quoted(handed_over / "chain.pem")}
key = {_quoted(handed_over / "key.pem")}

[listen]
port = {ports.tsa.port}

[management]
port = {ports.tsa_management.port}
"""


def ocsp_settings(ports: Ports, handed_over: Path) -> str:
    """The status responder's settings; ``handed_over`` is the folder that the registry made for it."""
    return f"""\
anchor = {_quoted(handed_over / "anchor.json")}

[[issuers]]
certificate = {_quoted(handed_over / "issuing-ca.pem")}
responder_certificate = {_quoted(handed_over / "certificate.pem")}
key = {_quoted(handed_over / "key.pem")}

[[issuers]]
certificate = {_quoted(handed_over / "root.pem")}
responder_certificate = {_quoted(handed_over / "root-responder.pem")}
key = {_quoted(handed_over / "root-responder-key.pem")}

[feed]
file = "status-feed"
poll_seconds = 0.2

[listen]
port = {ports.ocsp.port}

[management]
port = {ports.ocsp_management.port}
"""


def gateway_settings(gateway: str, ports: Ports) -> str:
    """A gateway's settings; keys, certificates, anchor and database lie in state/ beside them."""
    return f"""\
server = "{SERVERS[gateway]}"
state_directory = "state"
drain_seconds = 5.0

[listeners.information_systems_http]
port = {ports.information_systems(gateway).port}

[listeners.peers]
host = "{HOST}"
port = {ports.peers(gateway).port}

[listeners.management]
port = {ports.gateway_management(gateway).port}
"""


def gateway_configuration(gateway: str, ports: Ports) -> str:
    """What `xacbe gateway apply` sets: the consumer offers nothing, the provider its one service."""
    if gateway == CONSUMER:
        return "# This gateway's member asks, and offers no service.\n"
    return f"""\
[[services]]
subsystem = "{PROVIDING_SUBSYSTEM}"
code = "placas"
title = "Vehicles by plate"
base_url = "{ports.vehicles.url}/placas"
timeout_seconds = 10.0
allowed = ["{CLIENT}"]
"""
