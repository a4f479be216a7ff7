"""What an e-stamp is: identifiers, message, signature, timestamp, status, container, verification.

Pure: bytes in, bytes or verdicts out. No network, no database, no clock of its own. docs/reference/wire.md is the
normative description of what is made and read here.
"""
