"""The certificate-status responder: says of a certificate whether it is good, revoked or unknown (RFC 6960).

A process of its own, which answers from a signed copy of the registry's records and says "try later" when that copy
is too old. `xacbe ocsp serve` starts it.
"""
