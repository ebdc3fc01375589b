"""What a report says, from a record and a few made-up images."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from farside.autopsy import Evidence, explain
from farside.link.places import Place, Places
from farside.remote.death import CLD_EXITED, CLD_KILLED, DeathReport
from farside.remote.record import CrashRecord, Mapping, RawFrame

SLAB = (0x10000000, 0x20000000)
PLACES = {
    "cell 1": Places(
        (
            Place(0x10001000, 0x100, 5, "cell 1", ".text"),
            Place(0x10002000, 0x10, 1, "cell 1", ".rodata"),
        ),
        ((0x10001000, 0x40, "_Z1fv"), (0x10002000, 8, "table")),
    )
}
EVIDENCE = Evidence(PLACES, {}, {}, SLAB, lambda names: [n.replace("_Z1fv", "f()") for n in names])


def record(**changes: Any) -> CrashRecord:
    made = CrashRecord(
        kind=1, process=7, thread=7, signal=signal.SIGSEGV, code=1, sender=0, address=0, pc=1,
        sp=0x7FFF00000000, error=2, trap=14, stack=(0x7FFEFF800000, 0x7FFF00001000),
        mapping=Mapping(0, 0, 0, None), message=None, exception=None,
        frames=(RawFrame(0x10001010, None, 0, None),), omitted=0,
    )  # fmt: skip
    return made._replace(**changes)


def explained(made: CrashRecord | None, status: int = signal.SIGSEGV) -> DeathReport:
    return explain(DeathReport(7, CLD_KILLED, status, record=made), 1, EVIDENCE)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (0, "null pointer (write)"),
        (24, "null pointer plus 24 bytes (write)"),
        (0x10001020, "code of cell 1, f() (write)"),
        (0x10002004, "read-only data of cell 1, table (write)"),
        (0x1000200C, "read-only data of cell 1 (write)"),
        (0x10003000, "memory of a cell that was taken back, or that no cell has used (write)"),
        (0x40000000, "no memory is mapped there (write)"),
    ],
)
def test_what_lies_at_an_address(address: int, reason: str) -> None:
    report = explained(record(address=address))
    assert (report.reason, report.fault_address) == (reason, address)


def test_stack_overflow_is_at_the_end_of_the_stack_that_was_in_use() -> None:
    low = 0x7FFEFF800000
    assert explained(record(address=low - 8, sp=low)).reason == "stack overflow (write)"
    far = explained(record(address=low - 8, sp=low + (4 << 20)))
    assert far.reason == "no memory is mapped there (write)"


def test_names_without_objects() -> None:
    assert str(explained(record()).frames[0]) == "f() cell 1"


def test_record_of_another_death_is_not_believed() -> None:
    for other in (record(process=8), record(signal=signal.SIGFPE), record(kind=2)):
        report = explained(other)
        assert (report.reason, report.frames) == (None, ())
    exited = explain(DeathReport(7, CLD_EXITED, 3, record=record()), 1, EVIDENCE)
    assert exited.reason is not None
    assert "SYS_exit" in exited.reason
    assert exited.frames == ()
    assert exited.text.startswith("cell 1: the cell ended its process with exit status 3: by the")


def test_killed_and_killed_for_want_of_memory() -> None:
    killed = DeathReport(7, CLD_KILLED, signal.SIGKILL)
    assert "by another process" in explain(killed, 1, EVIDENCE).text
    starved = killed._replace(out_of_memory=True)
    assert "the kernel ran out of memory" in explain(starved, 1, EVIDENCE).text
