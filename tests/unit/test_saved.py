"""The file of a saved session: what is read is what was written, or one clear error."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farside.errors import OptionError
from farside.options import Options
from farside.recovery.file import SessionFile
from farside.recovery.journal import Journal, JournalEntry, LoadedFile
from farside.recovery.saved import (
    SavedCell,
    SavedDylib,
    SavedSession,
    Step,
    header_line,
    read_session,
    step_line,
)

HEADER = header_line(Options())


def read(path: Path) -> SavedSession:
    saved = read_session(str(path))
    os.close(saved.descriptor)
    return saved


def entry(cell: int, code: str = "x;") -> JournalEntry:
    return JournalEntry(cell, code, "", None)


def numbers(path: Path) -> list[int]:
    return [step.cell for step in read(path).steps if isinstance(step, SavedCell)]


def test_paths_come_back_from_every_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = Options(token_file=Path("token"), orc_runtime=Path("runtime.a"))
    file = tmp_path / "saved"
    file.write_bytes(header_line(options))
    monkeypatch.chdir("/")
    saved = read_session(str(file))
    os.close(saved.descriptor)
    assert saved.options.token_file == tmp_path / "token"
    assert saved.options.orc_runtime == tmp_path / "runtime.a"


def test_options_and_steps_come_back(tmp_path: Path) -> None:
    options = Options(std="c++20", opt=0, defines=("A=1",), time_limit=2.5, use_pch=False)
    steps: tuple[Step, ...] = (
        SavedCell(1, 'int ä = "\n\0";', "main"),
        LoadedFile("libz.so.1", 0),
        SavedDylib("plugin", ("main",)),
        LoadedFile("/a.a", 0, "all_members", "plugin"),
        LoadedFile("", 0, "open", "plugin"),
        SavedCell(7, "x", "plugin"),
    )
    file = tmp_path / "s"
    file.write_bytes(header_line(options) + b"".join(map(step_line, steps)))
    saved = read(file)
    assert saved.options == options
    assert saved.steps == steps
    assert saved.directory == os.getcwd()
    assert not saved.incomplete


def test_what_belongs_to_the_near_side_is_not_saved(tmp_path: Path) -> None:
    file = tmp_path / "s"
    file.write_bytes(header_line(Options(output="capture", compiler=tmp_path)))
    assert read(file).options == Options()


def test_a_line_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "s"
    file.write_bytes(HEADER + step_line(SavedCell(1, "a", "main")) + b'{"cell": 2, "co')
    assert read(file).incomplete
    assert numbers(file) == [1]


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[1]",
        b"null",
        b"[" * 100_000,
        b"\xff\xfe",
        b"{}",
        b'{"cell": "1", "code": "x"}',
        b'{"cell": true, "code": "x"}',
        b'{"cell": 0, "code": "x"}',
        b'{"cell": 1e400, "code": "x"}',
        b'{"cell": 2000000000, "code": "x"}',
        b'{"cell": 99999999999, "code": "x"}',
        b'{"cell": ' + b"9" * 5000 + b', "code": "x"}',
        b'{"cell": 1}',
        b'{"cell": 1, "code": null}',
        b'{"cell": 1, "code": "\\ud800"}',
        b'{"cell": 1, "code": "x", "dylib": 3}',
        b'{"cell": 1, "code": "x", "more": 3}',
        b'{"load": ["a"]}',
        b'{"load": "a\\u0000b"}',
        b'{"jitdylib": "a"}',
        b'{"jitdylib": "a", "link_order": [1]}',
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "s"
    file.write_bytes(HEADER + line + b"\n")
    with pytest.raises(OptionError, match=r"line 2: .*damaged"):
        read(file)


@pytest.mark.parametrize(
    "options",
    [
        None,
        {"nonsense": 1},
        {"compiler": "/bin/sh"},
        {"opt": -1},
        {"opt": True},
        {"snapshots": 1 << 80},
        {"std": "a\0"},
        {"defines": "A"},
        {"defines": [1]},
        {"language": "ada"},
        {"time_limit": -1},
        {"time_limit": float("nan")},
        {"use_pch": 1},
    ],
)
def test_options_are_checked(tmp_path: Path, options: Any) -> None:
    file = tmp_path / "s"
    head = {"farside": "session", "version": 1, "directory": "/", "options": options}
    file.write_bytes(json.dumps(head).encode() + b"\n")
    with pytest.raises(OptionError, match=r"line 1: .*damaged"):
        read(file)


def test_another_version_is_told(tmp_path: Path) -> None:
    file = tmp_path / "s"
    file.write_bytes(b'{"farside": "session", "version": 2}\n')
    with pytest.raises(OptionError, match="format 2"):
        read(file)


@pytest.mark.parametrize("content", [b"", b"\n", b"int x;\n", b"{}\n", b"[]\n", b"\0" * 5000])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "s"
    file.write_bytes(content)
    with pytest.raises(OptionError, match="no file that a session was saved in"):
        read(file)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero"), tmp_path / "missing", Path("a\0b")):
        with pytest.raises(OptionError):
            read(path)


@given(data=st.binary(max_size=200), at=st.integers(0, 400))
def test_any_damage_is_an_option_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int
) -> None:
    file = tmp_path_factory.mktemp("damaged") / "s"
    good = HEADER + step_line(SavedCell(1, "int x;", "main")) + step_line(SavedCell(2, "x", "p"))
    file.write_bytes(good[:at] + data + good[at + len(data) // 2 :])
    try:
        read(file)
    except OptionError:
        return


# ------------------------------------------------------------------ kept up to date


def test_the_file_follows_the_journal(tmp_path: Path) -> None:
    path, journal = tmp_path / "s", Journal()
    journal.accept(entry(1))
    file = SessionFile(str(path), Options(), journal)
    assert numbers(path_unlocked(file)) == [1]
    journal.accept(entry(2))
    inode = path.stat().st_ino
    assert file.update(journal) is None
    assert path.stat().st_ino == inode  # appended
    journal.take_back(1)
    journal.accept(entry(3))
    file.update(journal)
    journal.add_file("libz.so.1")
    journal.dylibs["plugin"] = ()
    file.update(journal)
    journal.accept(entry(4))
    file.update(journal)
    journal.dylibs["plugin"] = ("main",)
    file.update(journal)
    file.close()
    assert read(path).steps == (
        SavedCell(1, "x;", "main"),
        SavedCell(3, "x;", "main"),
        SavedDylib("plugin", ()),
        LoadedFile("libz.so.1", 0),
        SavedCell(4, "x;", "main"),
        SavedDylib("plugin", ("main",)),
    )
    assert os.listdir(tmp_path) == ["s"]


def path_unlocked(file: SessionFile) -> Path:
    """Return a copy of a file that is in use."""
    copy = Path(file.path + ".copy")
    copy.write_bytes(Path(file.path).read_bytes())
    return copy.rename(copy.parent.parent / "copy")


def test_two_sessions_cannot_have_one_file(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    file = SessionFile(path, Options(), Journal())
    with pytest.raises(OptionError, match="in use"):
        SessionFile(path, Options(), Journal())
    with pytest.raises(OptionError, match="in use"):
        read_session(path)
    file.close()
    SessionFile(path, Options(), Journal(), replace=False).close()  # nothing is in it
    journal = Journal()
    journal.accept(entry(1))
    SessionFile(path, Options(), journal).close()
    with pytest.raises(OptionError, match="--resume"):
        SessionFile(path, Options(), Journal(), replace=False)


def test_other_files_are_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text("precious\n")
    with pytest.raises(OptionError, match="not replaced"):
        SessionFile(str(path), Options(), Journal())
    with pytest.raises(OptionError, match="No such file"):
        SessionFile(str(tmp_path / "missing" / "s"), Options(), Journal())
    assert path.read_text() == "precious\n"


def test_a_full_disk_is_said_once_and_made_up_for(tmp_path: Path) -> None:
    import resource
    import signal

    path, journal = tmp_path / "s", Journal()
    file = SessionFile(str(path), Options(), journal)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, limits[1]))
    try:
        journal.accept(entry(1))
        said = file.update(journal)
        assert said is not None
        assert "not kept" in said
        journal.accept(entry(2))
        assert file.update(journal) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    journal.accept(entry(3))
    said = file.update(journal)
    assert said is not None
    assert "again" in said
    file.close()
    assert numbers(path) == [1, 2, 3]


def test_of_sessions_that_take_a_file_at_once_one_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "s"
    for _ in range(20):
        path.unlink(missing_ok=True)
        barrier = Barrier(3)

        def take(barrier: Barrier = barrier) -> SessionFile | None:
            barrier.wait()
            try:
                return SessionFile(str(path), Options(), Journal())
            except OptionError:
                return None

        with ThreadPoolExecutor(3) as pool:
            taken = [each.result() for each in [pool.submit(take) for _ in range(3)]]
        (file,) = [each for each in taken if each is not None]
        journal = Journal()
        journal.accept(entry(7))
        assert file.update(journal) is None
        assert numbers(path_unlocked(file)) == [7]
        file.close()
        assert sorted(os.listdir(tmp_path)) == ["s"]


def test_a_file_that_was_removed_is_written_anew(tmp_path: Path) -> None:
    path, journal = tmp_path / "s", Journal()
    file = SessionFile(str(path), Options(), journal)
    journal.accept(entry(1))
    file.update(journal)
    path.rename(tmp_path / "moved")
    journal.accept(entry(2))
    assert file.update(journal) == f"{path} had gone; the session is kept there again"
    assert numbers(tmp_path / "moved") == [1]
    path.unlink()
    path.write_bytes(HEADER)  # somebody else's
    journal.accept(entry(3))
    assert "another file has taken its place" in str(file.update(journal))
    assert path.read_bytes() == HEADER
    path.unlink()
    journal.accept(entry(4))
    assert file.update(journal) == f"the session is kept in {path} again"
    assert numbers(path_unlocked(file)) == [1, 2, 3, 4]
    file.close()


def test_empty_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(HEADER + b"\n" + step_line(SavedCell(1, "x", "main")) + b" \n")
    assert numbers(path) == [1]
    assert not read(path).incomplete
