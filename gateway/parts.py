"""What the steps of a message's way work with: one object, put together once by ``gateway.serve``."""

from collections.abc import Callable
from dataclasses import dataclass, field

from estamp.anchor import TrustAnchor
from gateway.catalogue_keeper import CatalogueKeeper
from gateway.configuration import Configuration
from gateway.figures import Figures
from gateway.identity import Identity
from gateway.peer_client import PeerClient
from gateway.query_log import QueryLog
from gateway.service_client import ServiceClient
from gateway.settings import GatewaySettings
from service_runtime.stamping import Stamper


@dataclass(slots=True)
class Parts:
    """The gateway's parts. ``configuration`` gives the services and rights in force now."""

    settings: GatewaySettings
    identity: Identity
    anchor: TrustAnchor
    catalogue: CatalogueKeeper
    configuration: Callable[[], Configuration]
    stamper: Stamper
    log: QueryLog
    peers: PeerClient
    services: ServiceClient
    figures: Figures = field(default_factory=Figures)
