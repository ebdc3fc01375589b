"""The platform's own functions, called with what no linker would send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farside.errors import RemoteError
from farside.orc import bootstrap, sps
from farside.remote.commit import CommitRequest
from tests.contract.executor_rig import PAGE, SECTIONS, Rig, rig

rig = pytest.fixture(rig)

PUSH = {
    "init": bootstrap.REGISTER_INIT_SECTIONS,
    "fini": bootstrap.REGISTER_FINI_SECTIONS,
}


@pytest.fixture
def push(rig: Rig) -> Iterator[Callable[..., None]]:
    def call(name: str, header: int, *ranges: tuple[int, int]) -> None:
        payload = sps.pack((sps.ADDR, SECTIONS), (header, [sps.AddrRange(*r) for r in ranges]))
        rig.executor.call_for_error(name, payload)

    yield call
    assert rig.call(rig.executor.resolve(["getpid"])["getpid"]) == rig.executor.worker_pid


@pytest.mark.parametrize("kind", PUSH)
def test_sections_that_cannot_be(rig: Rig, push: Callable[..., None], kind: str) -> None:
    page = rig.space(PAGE)
    rig.executor.commit(CommitRequest([(3, page, PAGE)]))
    for start, end in ((page, page + 12), (page + 4, page + 12), (page + 8, page)):
        with pytest.raises(RemoteError, match="not a whole number of aligned pointers"):
            push(PUSH[kind], rig.header, (start, end))
    for start in (8, page - PAGE, 1 << 46):
        with pytest.raises(RemoteError, match="a section lies in no memory"):
            push(PUSH[kind], rig.header, (page, page + 8), (start, start + 16))
    with pytest.raises(RemoteError, match="no JITDylib has the header 0x1234"):
        push(PUSH[kind], 0x1234, (page, page + 8))
    with pytest.raises(RemoteError, match="a section is not registered"):
        push(PUSH[kind].replace("_register_", "_deregister_"), rig.header, (page, page + 8))
    # Nothing of a refused call stays; null pointers and end marks are no functions.
    push(PUSH[kind], rig.header, (page, page + 16))
    assert rig.executor.commit(CommitRequest(dlupdate=rig.header)).initialisers_run == 0


def test_headers_that_nobody_has(rig: Rig) -> None:
    for name in (bootstrap.JIT_DLUPDATE, bootstrap.JIT_DLCLOSE):
        result = rig.executor.call(name, sps.pack((sps.ADDR,), (99,)))
        assert sps.unpack((sps.I32,), result) == (-1,)
        (why,) = sps.unpack((sps.STRING,), rig.executor.call(bootstrap.JIT_DLERROR, b""))
        assert why.endswith("no JITDylib has the header 0x63")
    result = rig.executor.call(bootstrap.JIT_DLSYM, sps.pack((sps.ADDR, sps.STRING), (99, "x")))
    assert sps.unpack((sps.Expected(sps.ADDR),), result) == (
        sps.Failure("dlsym: no JITDylib has the header 0x63"),
    )
    with pytest.raises(RemoteError, match="no JITDylib has the header 0x63"):
        rig.executor.commit(CommitRequest(dlupdate=99))
    for name, codecs, values in (
        (bootstrap.DEREGISTER_JITDYLIB, (sps.ADDR,), (99,)),
        (bootstrap.HOLD_JITDYLIB, (sps.ADDR,), (99,)),
        (bootstrap.SET_LINK_ORDER, (sps.ADDR, sps.Sequence(sps.ADDR)), (99, [])),
        (bootstrap.SET_LINK_ORDER, (sps.ADDR, sps.Sequence(sps.ADDR)), (rig.header, [99])),
        (bootstrap.REGISTER_MEMORY, (sps.ADDR, SECTIONS), (99, [])),
    ):
        with pytest.raises(RemoteError, match="no JITDylib has the header 0x63"):
            rig.executor.call_for_error(name, sps.pack(codecs, values))
    with pytest.raises(RemoteError, match="duplicate registration of JITDylib main"):
        rig.executor.call_for_error(
            bootstrap.REGISTER_JITDYLIB, sps.pack((sps.STRING, sps.ADDR), ("main", 64))
        )


def test_a_chain_of_a_thousand_jitdylibs(rig: Rig, tmp_path: Path) -> None:
    base = rig.space(16384)
    rig.executor.commit(CommitRequest([(1, base, 16384)]))
    order = (sps.ADDR, sps.Sequence(sps.ADDR))
    for i in range(1000):
        rig.executor.call_for_error(
            bootstrap.REGISTER_JITDYLIB, sps.pack((sps.STRING, sps.ADDR), (f"d{i}", base + i * 8))
        )
    for i in range(1000):
        rig.executor.call_for_error(
            bootstrap.SET_LINK_ORDER, sps.pack(order, (base + i * 8, [base + (i + 1) % 1000 * 8]))
        )
    for status in (0, -1):
        if status == 0:
            payload = sps.pack((sps.STRING, sps.I32), ("d0", 1))
            result = rig.executor.call(bootstrap.JIT_DLOPEN, payload)
            assert sps.unpack((sps.ADDR,), result) == (base,)
        result = rig.executor.call(bootstrap.JIT_DLCLOSE, sps.pack((sps.ADDR,), (base,)))
        assert sps.unpack((sps.I32,), result) == (status,)
