"""Where a service lives: the address that the rest of a request's path is put behind."""

import ipaddress
import re
from urllib.parse import urlsplit

_MOST_CHARACTERS = 2000
_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*"
)
_PATH = re.compile(r"(/([A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+)*")
_DOTS = re.compile(r"(\.|%2[eE]){1,2}")
_HIDDEN_SEPARATOR = re.compile(r"%(2[fF]|5[cC]|0[0-9a-fA-F]|1[0-9a-fA-F]|7[fF])")


def normal_base_url(text: str) -> str:
    """The one form of a service's address: lower-case scheme and host, no slash at the end.

    It must be an http or https address of a host, with a path at most: no query, fragment, user or password, and no
    piece of the path that is empty, a dot or two dots, or that hides a separator or a control character. Then what a
    caller adds behind it cannot lead beside it. Raises ValueError that says what is wrong.
    """
    if not text or len(text) > _MOST_CHARACTERS:
        raise ValueError(f"an address has 1 to {_MOST_CHARACTERS} characters")
    if not text.isascii() or any(character <= " " or character in '\\"<>^`{|}\x7f' for character in text):
        raise ValueError("an address has no spaces, backslashes or characters outside ASCII; percent-encode them")
    for sign, what in (("?", "query"), ("#", "fragment")):
        if sign in text:
            raise ValueError(f"a base address has no {what}; each request brings its own query")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"this is not an address: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("it must begin with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("it must not hold a user name or password")
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("its port must be a number from 1 to 65535")
    path = parts.path.removesuffix("/")
    if not _PATH.fullmatch(path):
        raise ValueError("its path has an empty piece, or a character that must be percent-encoded")
    if any(_DOTS.fullmatch(piece) for piece in path.split("/")):
        raise ValueError("its path must not have . or .. as a piece")
    if _HIDDEN_SEPARATOR.search(path):
        raise ValueError("its path must not hide a slash, backslash or control character behind a percent sign")
    return f"{parts.scheme}://{_normal_host(host, bracketed='[' in parts.netloc)}{f':{port}' if port else ''}{path}"


def _normal_host(host: str, *, bracketed: bool) -> str:
    if bracketed:
        try:
            if "%" in host:
                raise ValueError("a zone means something on one machine only")
            return f"[{ipaddress.IPv6Address(host)}]"
        except ValueError:
            raise ValueError("its host is not an IPv6 address") from None
    if not _HOST.fullmatch(host):
        raise ValueError("it names no host")
    return host.lower()
