"""``farside_call`` on the wire: a function of the program's, run with bytes for arguments."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from farside.errors import RemoteError
from farside.orc import bootstrap, sps
from farside.remote.commit import decode_outcome
from farside.remote.guard import Guard

if TYPE_CHECKING:
    from farside.remote.commit import RunOutcome
    from farside.remote.executor import Executor

_HEAD = Struct("<QQQ?Q")
_SHARE = Struct("<QQ")


class Beside(NamedTuple):
    """Memory that goes along with a call: its descriptor, and how many bytes of it are used."""

    descriptor: int | None = None
    size: int = 0


def call_function(
    executor: Executor,
    header: int,
    function: int,
    arguments: bytes,
    beside: Beside,
    *,
    timeout: float | None,
) -> RunOutcome:
    """Run a function: one message, one answer.

    Args:
        executor: runs it.
        header: of the JITDylib whose code it is.
        function: its address.
        arguments: for it to read.
        beside: memory for it, which it may change.
        timeout: seconds to wait; None waits as long as it takes.

    Raises:
        RemoteError: the memory could not be mapped.
        Crashed, TimedOut, FarSideLost, ProtocolError: see `Executor.call`.
    """
    executor.ran += 1
    payload = executor.call_address(
        executor.address(bootstrap.CALL),
        _HEAD.pack(header, function, beside.size, beside.size != 0, len(arguments)) + arguments,
        timeout=timeout,
        descriptor=beside.descriptor,
    )
    with Guard(executor):
        outcome = decode_outcome(payload)
    if isinstance(outcome, sps.Failure):
        raise RemoteError(f"The executor refused the call: {outcome.text}.")
    return outcome


def share_buffer(executor: Executor, key: int, descriptor: int, size: int) -> None:
    """Have the program map memory that both sides see, under a number.

    Raises:
        RemoteError: it cannot be mapped.
    """
    payload = executor.call_address(
        executor.address(bootstrap.SHARE), _SHARE.pack(key, size), descriptor=descriptor
    )
    with Guard(executor):
        failure = sps.ERROR.decode(sps.Reader(payload))
    if failure is not None:
        raise RemoteError(f"The executor cannot share the buffer: {failure.text}.")
