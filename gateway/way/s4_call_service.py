"""Step 4, at the provider gateway: the access right, and the call of the member's own service.

The service is called with what stands in the verified head, and nothing that came beside it.
"""

from gateway.faults import Fault, Place
from gateway.headers import ONLY_ON_ANSWERS, end_to_end
from gateway.parts import Parts
from gateway.service_client import ServiceAnswer
from gateway.way.s3_receive import Received

_HERE = Place.PROVIDER


async def call_service(received: Received, parts: Parts) -> ServiceAnswer:
    """The service's whole answer, its own HTTP errors included; raises Fault.

    ``service-unknown``, ``access-denied``, or what :class:`gateway.service_client.ServiceClient` raises.
    """
    configuration = parts.configuration()
    target = received.target
    detail = received.entry.request_id
    service = configuration.service(target.service)
    if service is None:
        raise Fault("service-unknown", f"{target.service} is not offered here.", _HERE, detail=detail)
    if not configuration.may_call(received.client, target.service):
        raise Fault("access-denied", f"{received.client} has no right to {target.service}.", _HERE, detail=detail)
    return await parts.services.call(
        received.head.method,
        f"{service.base_url}{target.path}{target.query}",
        end_to_end(received.head.headers, ONLY_ON_ANSWERS),
        received.body,
        seconds=service.timeout_seconds,
        detail=detail,
    )
