"""``farside_commit`` on the wire: everything that a cell needs of the executor, in one message."""

from __future__ import annotations

from struct import Struct

from farside.annotations import TYPE_CHECKING
from farside.errors import ProtocolError
from farside.orc import sps
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

Buffer = bytes | bytearray | memoryview

_U64 = Struct("<Q")
_TWO_U64 = Struct("<QQ")
_PROTECT = Struct("<BQQ")
_LAST = Struct("<Q?")
_OUTCOME_HEAD = Struct("<QBQQ")
_PLAIN_OUTCOME = Struct("<?QBQQQ?QBQ")  # of a run that threw nothing and gave one value
_WHAT = sps.Optional(sps.STRING)
_VALUES = sps.Sequence(sps.Tuple(sps.U8, sps.BYTES))
_STATUS_DONE, _STATUS_EXCEPTION = 0, 1


class WrapperCall(NamedTuple):
    """A call of a wrapper function by address, with encoded arguments; address 0 is no call."""

    function: int
    arguments: bytes = b""


NO_CALL = WrapperCall(0)


class CommitRequest(NamedTuple):
    """What one commit does, in this order.

    Attributes:
        protect: (protection, address, size) of whole pages, which become fresh zero pages;
            protection is ORC's: read 1, write 2, execute 4; 0 gives the memory back.
        write: (address, bytes) to store; zeros in fresh pages need no store.
        actions: (finalize, dealloc) pairs.
        dlupdate: header of the JITDylib whose new initialisers are run; 0 for none.
        passing: the dealloc actions are run at the end; there is nothing to uncommit.
    """

    protect: Sequence[tuple[int, int, int]] = ()
    write: Sequence[tuple[int, Buffer]] = ()
    actions: Sequence[tuple[WrapperCall, WrapperCall]] = ()
    dlupdate: int = 0
    passing: bool = False


class RunOutcome(NamedTuple):
    """What came of a commit.

    Attributes:
        key: names the commit for `Executor.uncommit`, unless it was passing.
        exception: whether an initialiser threw; those after it were dropped and are never run.
        initialisers_run: how many returned.
        nanoseconds: time spent in initialisers.
        exception_type: demangled, empty if there was no exception.
        what: the exception's text, if its type has one.
        values: (kind, data) pairs that the code showed.
    """

    key: int
    exception: bool
    initialisers_run: int
    nanoseconds: int
    exception_type: str
    what: str | None
    values: list[tuple[int, bytes]]


def encode_commit(request: CommitRequest) -> bytes:
    """Return the arguments of ``farside_commit``."""
    out: list[Buffer] = [_U64.pack(len(request.protect))]
    out += [_PROTECT.pack(*entry) for entry in request.protect]
    out.append(_U64.pack(len(request.write)))
    for address, content in request.write:
        out.append(_TWO_U64.pack(address, len(content)))
        out.append(content)
    out.append(_U64.pack(len(request.actions)))
    for pair in request.actions:
        for function, arguments in pair:
            out.append(_TWO_U64.pack(function, len(arguments)))
            out.append(arguments)
    out.append(_LAST.pack(request.dlupdate, request.passing))
    return b"".join(out)


def decode_outcome(payload: bytes) -> RunOutcome | sps.Failure:
    """Read the result of ``farside_commit``.

    Raises:
        ProtocolError: it is none.
    """
    if len(payload) >= _PLAIN_OUTCOME.size:
        ok, key, status, count, nanoseconds, type_size, has_what, values_count, kind, size = (
            _PLAIN_OUTCOME.unpack_from(payload)
        )
        plain = ok and status == _STATUS_DONE and type_size == 0 and not has_what
        if plain and values_count == 1 and size == len(payload) - _PLAIN_OUTCOME.size:
            value = (kind, payload[_PLAIN_OUTCOME.size :])
            return RunOutcome(key, False, count, nanoseconds, "", None, [value])
    reader = sps.Reader(payload)
    if not sps.BOOL.decode(reader):
        return sps.Failure(sps.STRING.decode(reader))
    key, status, count, nanoseconds = reader.take(_OUTCOME_HEAD)
    if status not in (_STATUS_DONE, _STATUS_EXCEPTION):
        raise ProtocolError(f"A run outcome with the status {status}.")
    exception_type = sps.STRING.decode(reader)
    what = _WHAT.decode(reader)
    values = [(kind, data) for kind, data in _VALUES.decode(reader)]
    return RunOutcome(
        key, status == _STATUS_EXCEPTION, count, nanoseconds, exception_type, what, values
    )
