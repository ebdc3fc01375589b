"""Who may use an executor over a network, and how each side knows the other.

The listening side speaks first, 48 bytes in the clear::

    "FARSIDE1"   "T" with TLS, "P" without   "N"   6 zero bytes   32 random bytes: its nonce

where the "N" says that it answers a wrong proof, too; an older one has zero there, and closes.
One that takes no caller now has another letter than T and P, and closes. With TLS its handshake
follows. Then the caller sends 64 bytes, its own nonce and

    HMAC-SHA256(token, "caller" ‖ nonce of the listener ‖ nonce of the caller ‖ fingerprint)

where the fingerprint is the SHA-256 of the certificate that it was shown, or zeros without TLS. The
listener reads these 64 bytes and nothing else before it has compared them, in constant time. To a
wrong proof it says "NO", and closes. Else it answers with the same for "listener", so that a caller
who connects for the first time knows, too, that the certificate it was shown is that of somebody
who knows the token. Nobody between the two learns the token, can use what was sent again, or can
show another certificate.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from farside.errors import FarSideLost, ProtocolError

MAGIC = b"FARSIDE1"
NONCE_SIZE = 32
BANNER_SIZE = len(MAGIC) + 8 + NONCE_SIZE
PROOF_SIZE = 2 * NONCE_SIZE
NO_CERTIFICATE = bytes(32)
TOKEN_BYTES = 32
NO = b"NO"
_SAYS_NO = b"N"
SESSIONS, CALLERS, TRIES = b"S", b"C", b"W"
# Of sessions a caller learns after it has shown the token, in the answer to what it wants.
REFUSALS = {
    SESSIONS: "It has as many sessions as it may have (farside executor --sessions).",
    CALLERS: "It cannot take another caller at present; try again soon.",
    TRIES: "There were too many wrong tries from this address; try again in a minute.",
}


def new_token() -> str:
    """Return a fresh token, as text."""
    return os.urandom(TOKEN_BYTES).hex()


def make_banner(nonce: bytes, *, tls: bool) -> bytes:
    """Return what the listener says first."""
    return MAGIC + (b"T" if tls else b"P") + _SAYS_NO + bytes(6) + nonce


def make_refusal(why: bytes) -> bytes:
    """Return what the listener says to a caller that it does not take: one of `REFUSALS`."""
    return MAGIC + why + bytes(7 + NONCE_SIZE)


def read_banner(banner: bytes) -> tuple[bytes, bool]:
    """Return the listener's nonce and whether TLS follows.

    Raises:
        ProtocolError: it is no banner, or a refusal.
    """
    if len(banner) == BANNER_SIZE and banner.startswith(MAGIC) and banner[8:9] in REFUSALS:
        raise ProtocolError(REFUSALS[banner[8:9]])
    if len(banner) != BANNER_SIZE or not banner.startswith(MAGIC) or banner[8:9] not in b"TP":
        raise ProtocolError("What listens there is no farside executor.")
    return banner[-NONCE_SIZE:], banner[8:9] == b"T"


def says_no(banner: bytes) -> bool:
    """Whether the listener answers a wrong proof; else the end of the stream may mean one."""
    return banner[9:10] == _SAYS_NO


def fingerprint(certificate: bytes) -> bytes:
    """Return the SHA-256 of a certificate in DER form."""
    return hashlib.sha256(certificate).digest()


def caller_proof(token: str, listener_nonce: bytes, caller_nonce: bytes, shown: bytes) -> bytes:
    """Return the 64 bytes by which a caller shows that it knows the token."""
    return caller_nonce + _mac(token, b"caller", listener_nonce, caller_nonce, shown)


def check_caller(token: str, listener_nonce: bytes, proof: bytes, shown: bytes) -> bytes | None:
    """Return the listener's answer to a caller's proof; None if the proof is wrong."""
    caller_nonce = proof[:NONCE_SIZE]
    right = _mac(token, b"caller", listener_nonce, caller_nonce, shown)
    if len(proof) != PROOF_SIZE or not hmac.compare_digest(proof[NONCE_SIZE:], right):
        return None
    return _mac(token, b"listener", listener_nonce, caller_nonce, shown)


def check_listener(
    token: str, listener_nonce: bytes, caller_nonce: bytes, shown: bytes, answer: bytes
) -> None:
    """Check the listener's answer.

    Raises:
        FarSideLost: it does not know the token, or somebody stands in between.
    """
    right = _mac(token, b"listener", listener_nonce, caller_nonce, shown)
    if not hmac.compare_digest(answer, right):
        raise FarSideLost("What listens there does not know the token, or somebody is in between.")


def _mac(token: str, role: bytes, listener: bytes, caller: bytes, shown: bytes) -> bytes:
    return hmac.digest(token.encode(), role + listener + caller + shown, "sha256")
