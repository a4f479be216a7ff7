"""What the four services share: settings, logs, keys, TLS, listeners, database engine and health.

Nothing here knows what a gateway, a registry or an authority does; those packages import this one and never each
other.
"""
