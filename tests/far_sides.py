"""The far sides that sessions are tested on, and how to get one.

FARSIDE_TEST_FAR_SIDE chooses what the tests of sessions run on: ``native`` (default), ``stock``
(LLVM's own executor), ``in-process``, ``tcp``, ``tls`` and ``ssh`` (farside's own, through a
listening front or an sshd). docs/executors.md has the table of what passes with which.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.sshd import HOST, sshd

CHOSEN = os.environ.get("FARSIDE_TEST_FAR_SIDE", "native")
LIMITED = CHOSEN in ("stock", "in-process")
ELSEWHERE = CHOSEN in ("tcp", "tls", "ssh")
STOCK = Path(
    shutil.which("llvm-jitlink-executor-22") or "/usr/lib/llvm-22/bin/llvm-jitlink-executor"
)
STOCK_19 = Path("/usr/lib/llvm-19/bin/llvm-jitlink-executor")
STOCKS = [each for each in (STOCK, STOCK_19) if each.exists()]
"""LLVM's executors that are installed, 22's and 19's."""
TOKEN = "a token that only the tests know"

_ELSEWHERE = {
    "test_the_programs_environment_is_its_own": "the environment is that of the front or sshd",
}
_NOT_KEPT = dict.fromkeys(
    (
        "test_snapshots.py",
        "test_thrift.py",
        "test_catching_up.py",
        "test_the_second_interrupt_takes_the_cell_back",
        "test_such_cells_are_undone",
        "test_a_destructor_that_throws_does_not_matter_where_the_state_is_kept",
        "test_undo_takes_the_library_back",
        "test_restoring_a_checkpoint_takes_the_library_back",
        "test_what_an_undone_cell_has_loaded_is_not_known_any_more",
        "test_a_library_whose_initialiser_hangs_is_stopped",
        "test_a_library_whose_initialiser_crashes_costs_the_cell",
        "test_of_several_libraries_one_is_chosen_and_the_others_are_told",
        "test_calls_are_made_again",
        "test_a_burst_of_calls_is_made_again_after_a_crash",
        "test_a_death_in_a_burst_takes_that_call_back",
        "test_a_large_array_costs_no_later_call",
        "test_a_time_limit_in_a_burst",
        "test_an_interrupt_in_a_burst",
        "test_an_object_in_the_place_of_one_that_is_gone",
        "test_objects_go_with_what_is_taken_back",
        "test_what_a_std_any_holds_without_a_form_lives_on",
        "test_a_checkpoint_is_of_what_calls_have_left",
        "test_names_of_checkpoints",
        "test_calls_since_the_state_before_the_newest",
        "test_a_callable_is_not_called_again_after_a_crash",
        "test_undo_looks_ahead",
    ),
    "no snapshots",
)
_NO_SUPERVISOR = dict.fromkeys(
    (
        "test_remains.py",
        "test_a_librarian_that_was_killed_is_replaced",
        "test_taking_back_cells_leaves_the_librarian",
        "test_a_new_executor_loads_the_library_again",
        "test_children_of_the_program_end_with_the_session",
        "test_a_killed_supervisor_costs_no_value",
        "test_what_a_killed_supervisor_leaves_is_ended",
        "test_what_was_started_without_environment_ends_with_the_supervisor",
        "test_a_stopped_supervisor_costs_no_value",
        "test_a_supervisor_that_is_killed_between_cells",
        "test_a_program_that_stops_itself_goes_on",
    ),
    "there is no supervisor to kill, to count, or to tell",
)
_NOT_STATIC = dict.fromkeys(
    (
        "test_objects_of_every_access_model[gcc -fPIE -ftls-model=local-exec]",
        "test_objects_of_every_access_model[clang-22 -fPIC -ftls-model=initial-exec]",
        "test_threads_that_ran_before_the_object_came[gcc -fPIE -ftls-model=local-exec]",
        "test_threads_that_ran_before_the_object_came[clang-22 -fPIC -ftls-model=initial-exec]",
        "test_a_re_opened_jitdylib_has_initial_values_in_every_thread"
        "[gcc -fPIE -ftls-model=local-exec]",
        "test_a_re_opened_jitdylib_has_initial_values_in_every_thread"
        "[clang-22 -fPIC -ftls-model=initial-exec]",
        "test_c11_threads_have_initial_values",
    ),
    "no static thread-local storage",
)
_NOT_SHARED = dict.fromkeys(
    (
        "test_a_buffer_is_seen_by_both_sides",
        "test_a_buffer_outlives_the_program",
        "test_a_buffer_is_not_named_by_what_is_taken",
        "test_what_cannot_be_shared",
        "test_what_cannot_be_shared_says_why",
        "test_a_buffer_of_dimensions_is_nested",
        "test_arrays_without_elements_are_shared",
        "test_what_else_is_done_finds_the_program_that_has_ended",
    ),
    "buffers are shared with farside's own executor on this machine only",
)
_DIES_WITH_IT = dict.fromkeys(
    (
        "test_deaths.py",
        "test_raw_ends.py",
        "test_standard_descriptors.py",
        "test_recovery.py",
        "test_loss.py",
        "test_ends.py",
        "test_processes.py",
        "test_hostile_cells.py",
        "test_unfit_programs.py",
        "test_idle_ends.py",
        "test_errors_leave_the_old",
        "test_after_the_compiler_and_the_program_were_started_again",
        "test_names_are_those_that_the_programmer_wrote",
        "test_undefined_behaviour_traps",
        "test_cells_that_fail_at_resume_are_named",
        "test_it_makes_no_difference",
        "test_a_crash_in_an_instance_is_told_by_its_name",
        "test_a_crash_in_such_a_cell_has_its_line",
        "test_a_crash_in_what_stays_has_its_line",
        "test_a_crash_in_the_cell_takes_its_library_back",
        "test_a_crash_later_keeps_the_library",
        "test_a_destructor_that_crashes_in_an_undo",
        "test_libcxx_is_there_again_after_a_crash",
        "test_memory",
        "test_recovery_brings_jitdylibs_back",
        "test_a_jitdylib_that_crashes_when_it_is_opened",
        "test_a_loaded_object_whose_initialiser_throws",
        "test_exceptions_and_crashes",
        "test_a_program_that_is_killed_between_calls",
        "test_a_buffer_outlives_the_program",
        "test_a_buffer_is_seen_by_both_sides",
        "test_a_call_before_the_definition_costs_its_cell",
        "test_all_cells_run_again",
    ),
    "ends or limits a process, which would be that of the tests",
)
LEFT_OUT: dict[str, dict[str, str]] = {
    "tcp": {**_ELSEWHERE, **_NOT_SHARED},
    "tls": {**_ELSEWHERE, **_NOT_SHARED},
    "ssh": {**_ELSEWHERE, **_NOT_SHARED},
    "in-process": {
        **_NOT_KEPT,
        **_NO_SUPERVISOR,
        **_DIES_WITH_IT,
        **_NOT_STATIC,
        "test_c_for_a_fixed_address": "no memory below 2 GiB",
        "test_memory_of_the_far_side_does_not_grow": "the memory is that of the tests",
        "test_display_needs_no_more_than_the_executor": "the process has other children",
        "test_libraries.py": "what one test has loaded, the next finds loaded",
    },
    "stock": {
        **_NOT_KEPT,
        **_NO_SUPERVISOR,
        "test_deaths.py": "no record of a death",
        "test_raw_ends.py": "no supervisor that looks how a program ended",
        "test_unfit_programs.py": "no record of a death",
        "test_standard_descriptors.py": "no snapshots",
        "test_a_crash_in_such_a_cell_has_its_line": "no record of a death",
        "test_a_call_before_the_definition_costs_its_cell": "no record of a death",
        "test_a_crash_in_what_stays_has_its_line": "no record of a death",
        "test_the_state_is_as_before_the_cell": "no snapshots",
        "test_crash_after_crash": "no snapshots",
        "test_hostile_cells.py": "no snapshots",
        "test_a_child_that_stops_everything_without_end_is_ended": "no snapshots",
        "test_calls_find_the_program_that_has_ended": "no snapshots",
        "test_a_worker_that_is_killed_between_cells": "no snapshots",
        "test_a_worker_that_is_killed_while_the_cell_is_compiled": "no snapshots",
        "test_a_program_that_left_before_a_cell_that_fails": "no snapshots",
        "test_far_side_killed_while_idle": "no snapshots",
        "test_exceptions_and_crashes": "no snapshots",
        "test_a_program_that_is_killed_between_calls": "no snapshots",
        "test_names_are_those_that_the_programmer_wrote": "no record of a death",
        "test_compiler_and_executor_are_separate_programs": "the program has another name",
        "test_a_library_of_this_machine_just_works[zlib]": "LLVM's executor has zlib itself",
        "test_c_for_a_fixed_address": "no memory below 2 GiB",
        **_NOT_STATIC,
        **_NOT_SHARED,
    },
}
"""What cannot pass on a far side, by the name of a file or test, and why."""
GROUPS = ("session", "platform", "calls", "api")
"""The directories of tests whose sessions are on the far side that is chosen."""


def left_out(item_path: str, name: str) -> str | None:
    """Return why a test is left out on the far side that is chosen; None if it is not."""
    *_, directory, file = item_path.split("/")
    reasons = LEFT_OUT.get(CHOSEN, {}) if directory in GROUPS else {}
    return reasons.get(file) or reasons.get(name) or reasons.get(name.partition("[")[0])


class Front(NamedTuple):
    """A running ``farside executor``."""

    process: subprocess.Popen[str]
    address: str
    certificate: str

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])


@contextmanager
def front(
    directory: Path, *arguments: str, token: str = TOKEN, before: Sequence[str] = ()
) -> Iterator[Front]:
    """Run ``farside executor`` on a free port of this machine, through a command `before` it."""
    words = [*before, sys.executable, "-m", "farside.cli", "executor"]
    words += ["--listen=127.0.0.1:0", *arguments]
    if token:
        file = directory / "token"
        file.write_text(token)
        file.chmod(0o600)
        words.append(f"--token-file={file}")
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "FARSIDE_CONFIG_DIR": str(directory)},
    ) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().removeprefix("listening on ").strip()
            tls = "--no-tls" not in arguments
            certificate = process.stdout.readline().rpartition(" ")[2].strip() if tls else ""
            yield Front(process, address, certificate)
        finally:
            process.terminate()
            process.wait()


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set environment variables for the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def far_side(name: str = CHOSEN) -> Iterator[dict[str, Any]]:
    """Provide a far side; gives the options that choose it."""
    if name == "native":
        yield {}
    elif name == "in-process":
        yield {"in_process": True}
    elif name == "stock":
        yield {"executor": STOCK}
    else:
        with tempfile.TemporaryDirectory() as temporary:
            yield from _elsewhere(name, Path(temporary))


def _elsewhere(name: str, directory: Path) -> Iterator[dict[str, Any]]:
    if name == "ssh":
        with sshd(directory / "sshd") as running, environment(FARSIDE_SSH=running.command):
            yield {"ssh": HOST}
    elif name in ("tcp", "tls"):
        arguments = ["--no-tls"] if name == "tcp" else []
        with (
            front(directory, *arguments) as listening,
            environment(FARSIDE_KNOWN_EXECUTORS=str(directory / "known")),
        ):
            yield {"connect": listening.address, "token_file": directory / "token"}
    else:
        raise ValueError(f"FARSIDE_TEST_FAR_SIDE={name}")
