"""What a member's developer imports: call a peer's service through the own gateway, and keep the evidence."""

from member_sdk.answers import AnswerContent
from member_sdk.errors import (
    AccessDenied,
    EvidenceFault,
    EvidenceUnavailable,
    GatewayFault,
    GatewayTimeout,
    GatewayUnreachable,
    InvalidCall,
    InvalidRequest,
    MemberSdkError,
    NetworkFault,
    NotAuthenticated,
    ServiceFailed,
    TimeoutFault,
    UnknownMember,
    UnknownService,
)
from member_sdk.evidence import Evidence, EvidenceVerdict
from member_sdk.gateway import Answer, AsyncAnswer, AsyncGateway, CallOptions, Gateway

__all__ = [
    "AccessDenied",
    "Answer",
    "AnswerContent",
    "AsyncAnswer",
    "AsyncGateway",
    "CallOptions",
    "Evidence",
    "EvidenceFault",
    "EvidenceUnavailable",
    "EvidenceVerdict",
    "Gateway",
    "GatewayFault",
    "GatewayTimeout",
    "GatewayUnreachable",
    "InvalidCall",
    "InvalidRequest",
    "MemberSdkError",
    "NetworkFault",
    "NotAuthenticated",
    "ServiceFailed",
    "TimeoutFault",
    "UnknownMember",
    "UnknownService",
]
