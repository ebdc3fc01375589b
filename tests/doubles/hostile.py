"""An executor that says it is farside's own, runs nothing, and breaks the protocol at one point.

    python -m tests.doubles.hostile POINT filedescs=FD,FD control=FD

It answers as an honest one would up to the point: its Setup, or its answer to the first commit.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from struct import pack

from farside.orc import bootstrap, sps
from farside.orc.frames import Frame, Opcode, encode_frame
from tests.doubles.executor import Double, descriptors

OUTCOME = pack("<?QBQQ", True, 1, 0, 0, 0) + sps.pack(
    (sps.STRING, sps.Optional(sps.STRING), sps.Sequence(sps.Tuple(sps.U8, sps.BYTES))),
    ("", None, []),
)
_MAP = sps.Sequence(sps.Tuple(sps.STRING, sps.BYTES))
_SYMBOLS = sps.Sequence(sps.Tuple(sps.STRING, sps.ADDR))


def setup_payload(
    triple: str = "x86_64-pc-linux-gnu",
    page: int = 4096,
    slab: tuple[int, int] = (1 << 40, 1 << 30),
    extra: tuple[tuple[str, bytes], ...] = (),
) -> bytes:
    """Return a Setup message like that of farside's executor."""
    names = sorted(bootstrap.STOCK_SYMBOLS | bootstrap.FARSIDE_SYMBOLS)
    names = [name for name in names if name != bootstrap.SNAPSHOT]
    values = [
        ("farside_version", pack("<I", 1)),
        ("farside_slab", pack("<QQ", *slab)),
        ("farside_static_tls", pack("<qQ", -4096, 2048)),
        *extra,
    ]
    symbols = [(name, 0x1000 + 8 * n) for n, name in enumerate(names)]
    return sps.pack((sps.STRING, sps.U64, _MAP, _SYMBOLS), (triple, page, values, symbols))


def _setup(payload: bytes, sequence: int = 0, tag: int = 0) -> bytes:
    return encode_frame(Opcode.SETUP, sequence, tag, payload)


def _result(payload: bytes, sequence: int = 0, tag: int = 0) -> bytes:
    return encode_frame(Opcode.RESULT, sequence, tag, payload)


GOOD = _setup(setup_payload())
LARGE = (1 << 64) - 1

SETUPS: dict[str, bytes] = {
    "no-setup-but-result": _result(b""),
    "setup-empty": _setup(b""),
    "setup-cut": _setup(setup_payload()[:100]),
    "setup-number": _setup(setup_payload(), sequence=1),
    "setup-tag": _setup(setup_payload(), tag=1),
    "setup-page-size": _setup(setup_payload(page=4095)),
    "setup-page-zero": _setup(setup_payload(page=0)),
    "setup-twice": GOOD + GOOD,
    "setup-names-twice": _setup(setup_payload(extra=(("farside_version", b""),))),
    "setup-count": _setup(sps.pack((sps.STRING, sps.U64, sps.U64), ("x", 4096, LARGE))),
    "setup-string": _setup(pack("<Q", LARGE)),
    "setup-slab-wraps": _setup(setup_payload(slab=(LARGE - 4095, 8192))),
    "setup-slab-crooked": _setup(setup_payload(slab=(1, 4096))),
    "setup-map-blob": _setup(
        sps.pack(
            (sps.STRING, sps.U64, _MAP, _SYMBOLS), ("x", 4096, [("farside_version", b"\1")], [])
        )
    ),
    "size-small": pack("<QQQQ", 31, 0, 0, 0),
    "size-zero": bytes(32),
    "size-huge": pack("<QQQQ", LARGE, 0, 0, 0),
    "size-large": pack("<QQQQ", 1 << 40, 0, 0, 0),
    "opcode-4": pack("<QQQQ", 32, 4, 0, 0),
    "opcode-large": pack("<QQQQ", 32, LARGE, 0, 0),
    "random": bytes((n * 167 + 13) % 251 for n in range(4096)),
    "text": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "end-at-once": b"",
    "end-in-header": GOOD[:20],
    "end-in-payload": GOOD[:200],
    "hangup": encode_frame(Opcode.HANGUP, 0, 0, b""),
}
"""What is said instead of a Setup message."""

COMMITS: dict[str, Callable[[int], bytes]] = {
    "result-empty": lambda n: _result(b"", n),
    "result-cut": lambda n: _result(OUTCOME[:-1], n),
    "result-bool": lambda n: _result(b"\2" + OUTCOME[1:], n),
    "result-status": lambda n: _result(OUTCOME[:9] + b"\7" + OUTCOME[10:], n),
    "result-failure-cut": lambda n: _result(b"\0" + pack("<Q", 100), n),
    "result-failure": lambda n: _result(b"\0" + sps.pack((sps.STRING,), ("no",)), n),
    "result-string": lambda n: _result(OUTCOME[:26] + pack("<Q", LARGE), n),
    "result-values": lambda n: _result(OUTCOME[:-8] + pack("<Q", LARGE), n),
    "result-tag": lambda n: _result(OUTCOME, n, tag=1),
    "result-unknown": lambda n: _result(OUTCOME, n + 1),
    "result-number-large": lambda n: _result(OUTCOME, LARGE),
    "result-large": lambda n: pack("<QQQQ", 1 << 31, 2, n, 0),
    "call-unknown-tag": lambda n: encode_frame(Opcode.CALL, 0, 1, b""),
    "call-lookup-cut": lambda n: encode_frame(Opcode.CALL, 0, _lookup_tag(), b"\1"),
    "setup-again": lambda n: GOOD,
    "hangup-then": lambda n: encode_frame(Opcode.HANGUP, 0, 0, b"\1\xff"),
    "end-then": lambda n: b"",
    "end-in-result": lambda n: _result(OUTCOME, n)[:40],
    "random-then": lambda n: SETUPS["random"],
}
"""What is said instead of the answer to the first commit, by the number of its call."""


def _lookup_tag() -> int:
    return dict(_symbols())[bootstrap.SYMBOL_LOOKUP_TAG]


def _symbols() -> list[tuple[str, int]]:
    *_, symbols = sps.unpack((sps.STRING, sps.U64, _MAP, _SYMBOLS), setup_payload())
    return [(name, address) for name, address in symbols]


class Hostile(Double):
    """See the module."""

    def __init__(self, descriptor: int, point: str) -> None:
        super().__init__(descriptor, descriptor)
        self._point = point
        self._names = {address: name for name, address in _symbols()}

    def run(self) -> int:
        if self._point in SETUPS:
            self.send(SETUPS[self._point])
            return 0
        if self._point == "silent":
            while os.read(self._reading, 4096):
                pass
            return 0
        self._by_token.clear()
        self.setup = setup_payload  # type: ignore[method-assign]
        return super().run()

    def answer(self, frame: Frame) -> None:
        name = self._names.get(frame.tag, "")
        if name == bootstrap.COMMIT and self._point in COMMITS:
            self.send(COMMITS[self._point](frame.sequence))
            os._exit(0)
        if name == bootstrap.COMMIT and self._point == "silent-commit":
            return
        if name == bootstrap.COMMIT and self._point == "talks-without-end":
            question = sps.pack((sps.ADDR, sps.STRING), (1, "name"))
            for number in range(1 << 40):
                self.send(encode_frame(Opcode.CALL, number, _lookup_tag(), question))
        payload = OUTCOME if name == bootstrap.COMMIT else bytes(9)
        self.send(_result(payload, frame.sequence))


def main(words: list[str]) -> int:
    """Break the protocol at the point that the first word names."""
    found = descriptors(words)
    control = socket.socket(fileno=found["control"][0])
    started = sps.pack((sps.U32,), (os.getpid(),))
    control.sendall(encode_frame(Opcode.CALL, 0, bootstrap.CONTROL_WORKER_STARTED, started))
    return Hostile(found["filedescs"][0], words[0]).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
