"""Images that travel through memory which both sides see."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import farside.remote.shared
from farside.errors import Crashed, SetupError
from farside.options import Options
from farside.orc import bootstrap, sps
from farside.remote.shared import share_memory
from farside.session import Session
from tests.conftest import Traces
from tests.far_sides import STOCK
from tests.session.conftest import NewSession, shown

LARGE = "unsigned char table[100000] = {1, 2, 3, " + "7, " * 99997 + "};"


@pytest.fixture(params=["native", "stock", "in-process"])
def new_session(request: pytest.FixtureRequest, leaves_nothing: Traces) -> Iterator[NewSession]:
    """Return a function that starts a session with shared memory, on each kind of executor."""
    kinds: dict[str, dict[str, Any]] = {
        "native": {},
        "stock": {"executor": STOCK},
        "in-process": {"in_process": True},
    }
    with ExitStack() as stack:

        def start(**changes: Any) -> Session:
            options = Options(output="capture", shared_memory=True, **kinds[request.param])
            return stack.enter_context(Session(options.with_(**changes)))

        yield start


def carried(session: Session) -> int:
    shared = session._execution._shared
    assert shared is not None
    return shared.carried


def test_large_images_are_carried(new_session: NewSession) -> None:
    session = new_session()
    session.run("int small = 1;")
    assert carried(session) == 0
    session.run(LARGE)
    assert carried(session) >= 100000
    assert shown(session.run("table[0] + table[2] + table[99999]")) == "11"
    session.run(LARGE.replace("table", "other").replace("7", "8"))
    assert shown(session.run("table[50000] + other[50000]")) == "15"


def test_memory_is_as_it_was_after_a_crash() -> None:
    with Session(Options(output="capture", shared_memory=True)) as session:
        session.run(LARGE)
        session.run("table[5] = 100;")
        with pytest.raises(Crashed):
            session.run("table[5] = 200; *(volatile int *)nullptr = 1;")
        assert shown(session.run("(int)table[5]")) == "100"
        session.run(LARGE.replace("table", "other"))
        assert shown(session.run("table[5] + other[5]")) == "107"


class Answering:
    """An executor that answers the mapper's calls as a test says."""

    is_child = False

    def __init__(self, reserved: object, read: list[bytes] | None = None) -> None:
        self._answers = {
            bootstrap.MAPPER_RESERVE: sps.pack(
                (sps.Expected(sps.Tuple(sps.ADDR, sps.STRING)),), (reserved,)
            ),
            bootstrap.MAPPER_INITIALIZE: b"\1" + struct.pack("<Q", 4096),
            bootstrap.MEM_READ_BUFFERS: sps.pack((sps.Sequence(sps.BYTES),), (read or [],)),
        }

    def address(self, _: str) -> int:
        return 8

    def call(self, name: str, _: bytes, **__: object) -> bytes:
        return self._answers[name]

    def decoded(self, codec: sps.Codec[object], payload: bytes) -> object:
        return codec.decode(sps.Reader(payload))


@pytest.mark.parametrize(
    ("reserved", "error", "words"),
    [
        (sps.Failure("none left"), SetupError, "none left"),
        ((4096, "/../etc/passwd"), SetupError, "passwd"),
        ((4096, "/jitlink_of_another_machine"), SetupError, "another machine"),
        ((4096, "jitlink"), SetupError, "name"),
        ((4096, "/a\0b"), SetupError, "name"),
    ],
)
def test_an_answer_that_will_not_do(reserved: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        share_memory(Answering(reserved))  # type: ignore[arg-type]


def test_memory_of_the_same_name_that_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farside.remote.shared, "_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(farside.remote.shared, "_SIZE", 4096)
    (tmp_path / "jitlink_1").write_bytes(bytes(4096))
    with pytest.raises(SetupError, match="another machine"):
        share_memory(Answering((4096, "/jitlink_1"), [bytes(16)]))  # type: ignore[arg-type]
    (tmp_path / "jitlink_1").write_bytes(bytes(100))
    with pytest.raises(SetupError, match="not the memory"):
        share_memory(Answering((4096, "/jitlink_1")))  # type: ignore[arg-type]
