"""A cell that refers to what no loaded library defines gets the library that does."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from farside.errors import (
    CompileError,
    Crashed,
    FarsideError,
    Interrupted,
    TimedOut,
    UndefinedSymbols,
)
from farside.session import Session
from tests import library_builder as elf
from tests.library_builder import Library, Symbol, library
from tests.session.conftest import NewSession, shown, supervisor_of

REAL = {
    "zlib": ("#include <zlib.h>", "zlibVersion()[0] == ZLIB_VERSION[0]"),
    "SQLite": (
        "#include <sqlite3.h>",
        'sqlite3 *db; bool opened = sqlite3_open(":memory:", &db) == SQLITE_OK;'
        ' opened && sqlite3_exec(db, "create table t(x)", nullptr, nullptr, nullptr) == SQLITE_OK',
    ),
    "libpng": ("#include <png.h>", "png_access_version_number() == PNG_LIBPNG_VER"),
    "Eigen": (
        "#include <eigen3/Eigen/Dense>",
        "Eigen::Matrix2d m; m << 1, 2, 3, 4; m.determinant() == -2",
    ),
    "GSL": (
        "#include <gsl/gsl_linalg.h>",
        "gsl_matrix *a = gsl_matrix_alloc(2, 2); gsl_matrix_set_identity(a);"
        " gsl_permutation *p = gsl_permutation_alloc(2); int sign = 0;"
        " gsl_linalg_LU_decomp(a, p, &sign); gsl_linalg_LU_det(a, sign) == 1",
    ),
    "BLAS": (
        "#include <cblas.h>",
        "double x[] = {1, 2}, y[] = {3, 4}; cblas_ddot(2, x, 1, y, 1) == 11",
    ),
    "libcurl": ("#include <curl/curl.h>", "curl_easy_init() != nullptr"),
    "ncurses": ("#include <ncurses.h>", "curses_version()[0] == 'n'"),
}


@pytest.mark.parametrize("name", REAL)
def test_a_library_of_this_machine_just_works(session: Session, name: str) -> None:
    include, code = REAL[name]
    session.run(include)
    result = session.run(code)
    assert shown(result) == "true"
    # Eigen is headers alone.
    assert [notice.split()[0] for notice in result.notices] == ["loaded"] * (name != "Eigen")


# ------------------------------------------------------------------ with libraries of our own


def declare(*names: str) -> str:
    return 'extern "C" {' + "".join([f"int {name}();" for name in names]) + "}"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory for libraries."""
    made = tmp_path / "place"
    made.mkdir()
    return made


@pytest.fixture
def own(new_session: NewSession, place: Path) -> Session:
    """Return a session that looks for libraries in the directory."""
    return new_session(library_dirs=(str(place),))


def put(place: Path, name: str, *functions: str, **more: object) -> Path:
    path = place / name
    path.write_bytes(library(*functions, soname=name, **more))
    return path


def value(session: Session, code: str) -> str | None:
    return shown(session.run(code))


def loaded(session: Session, name: str) -> bool:
    """Tell whether the worker has a library mapped."""
    return name in Path(f"/proc/{session.worker_pid}/maps").read_text()


def test_a_library_is_loaded_and_named(own: Session, place: Path) -> None:
    path = put(place, "libx.so.1", "first_name", "second_name")
    result = own.run(declare("first_name", "second_name") + "\nfirst_name() + second_name()")
    assert shown(result) == "3"
    assert result.notices == ("loaded libx.so.1 for first_name and second_name",)
    assert loaded(own, str(path))
    assert own.run("first_name()").notices == ()


def test_nothing_is_looked_for_while_nothing_is_undefined(own: Session) -> None:
    own.run('#include <cmath>\n#include <cstdio>\nint x = 1; double y = std::cos(x); puts("x");')
    assert own._execution.found.autoload is None


def test_a_directory_can_be_added_later(session: Session, place: Path) -> None:
    put(place, "libx.so", "added_later")
    with pytest.raises(UndefinedSymbols, match="added_later is undefined"):
        session.run(declare("added_later") + "added_later()")
    session.add_library_dir(str(place))
    assert value(session, declare("added_later") + "added_later()") == "1"


def test_a_library_that_appears_later_is_found(own: Session, place: Path) -> None:
    cell = declare("appears") + "appears()"
    with pytest.raises(UndefinedSymbols):
        own.run(cell)
    put(place, "libx.so", "appears")
    assert value(own, cell) == "1"


def test_kinds_of_symbols(own: Session, place: Path) -> None:
    symbols = [
        Symbol("fast_one", 7, elf.IFUNC),
        Symbol("weak_one", 8, bind=elf.WEAK),
        Symbol("variable", 9, elf.OBJECT),
        Symbol("versioned", 10, version="V2"),
        Symbol("versioned", 3, version="V1", hidden_version=True),
    ]
    (place / "libx.so").write_bytes(Library(symbols, "libx.so").build())
    own.run(declare("fast_one", "weak_one", "versioned") + 'extern "C" long variable;')
    assert value(own, "fast_one() + weak_one() + versioned() + variable") == "34"


def test_a_weak_reference_loads_nothing(own: Session, place: Path) -> None:
    put(place, "libx.so", "perhaps")
    own.run('extern "C" int perhaps() __attribute__((weak));')
    assert value(own, "perhaps == nullptr") == "true"


def test_several_libraries_are_loaded_for_one_cell(own: Session, place: Path) -> None:
    put(place, "liba.so", "in_a")
    put(place, "libb.so", "in_b")
    result = own.run(declare("in_a", "in_b") + "in_a() + in_b()")
    assert shown(result) == "2"
    assert sorted(result.notices) == ["loaded liba.so for in_a", "loaded libb.so for in_b"]


def test_unless_all_names_are_found_nothing_is_loaded(own: Session, place: Path) -> None:
    path = put(place, "liba.so", "in_a")
    with pytest.raises(UndefinedSymbols) as caught:
        own.run(declare("in_a", "nowhere_at_all") + "in_a() + nowhere_at_all()")
    assert caught.value.symbols == ("nowhere_at_all",)
    assert not loaded(own, str(path))


def test_of_several_libraries_one_is_chosen_and_the_others_are_told(
    own: Session, place: Path
) -> None:
    put(place, "libone.so", "in_both")
    put(place, "libother.so", "other", "in_both")
    result = own.run(declare("in_both") + "in_both()")
    assert shown(result) == "1"
    assert result.notices == (
        "loaded libone.so for in_both (libother.so defines it, too; to choose another: %undo, then"
        f" %lib {place}/libother.so)",
    )
    own.undo()
    own.load(f"{place}/libother.so")
    assert value(own, declare("in_both") + "in_both()") == "2"


def test_what_the_program_has_loaded_for_itself_is_preferred(own: Session, place: Path) -> None:
    put(place, "liba.so", "shared_name")
    hidden = put(place, "libzzz.so.1", "other", "shared_name")
    own.run(f'#include <dlfcn.h>\nvoid *h = dlopen("{hidden}", RTLD_NOW | RTLD_LOCAL);')
    result = own.run(declare("shared_name") + "shared_name()")
    assert shown(result) == "2"


def test_what_the_program_has_hidden_from_elsewhere_is_found(session: Session, place: Path) -> None:
    path = put(place, "libhidden.so", "hidden_name")
    cell = declare("hidden_name") + "hidden_name()"
    with pytest.raises(UndefinedSymbols):
        session.run(cell)
    session.run(f'#include <dlfcn.h>\nvoid *h = dlopen("{path}", RTLD_NOW | RTLD_LOCAL);')
    assert value(session, cell) == "1"


def test_what_an_undone_cell_has_loaded_is_not_known_any_more(
    session: Session, place: Path
) -> None:
    path = put(place, "libglobal.so", "global_name")
    cell = declare("global_name") + "global_name()"
    session.run("#include <dlfcn.h>")
    session.run(f'void *h = dlopen("{path}", RTLD_NOW | RTLD_GLOBAL);')
    assert value(session, cell) == "1"
    session.undo(2)
    with pytest.raises(UndefinedSymbols):
        session.run(cell)


def test_a_library_that_cannot_be_loaded_is_passed_over(own: Session, place: Path) -> None:
    put(place, "liba.so", "in_both", needed=["libnowhere.so.9"])
    put(place, "liblonger.so", "other", "in_both")
    assert value(own, declare("in_both") + "in_both()") == "2"


def test_a_library_that_cannot_be_loaded_is_told(own: Session, place: Path) -> None:
    put(place, "liba.so", "only_there", needed=["libnowhere.so.9"])
    with pytest.raises(UndefinedSymbols) as caught:
        own.run(declare("only_there") + "only_there()")
    assert "libnowhere.so.9" in " ".join(caught.value.__notes__)


def test_damaged_libraries_are_passed_over_and_listed(own: Session, place: Path) -> None:
    put(place, "libx.so", "sound")
    (place / "libdamaged.so").write_bytes(library("sound")[:300])
    os.mkfifo(place / "libfifo.so")
    assert value(own, declare("sound") + "sound()") == "1"
    listing = own.libraries()
    assert f"skipped: {place}/libfifo.so: not a regular file" in listing
    assert any(line.startswith(f"skipped: {place}/libdamaged.so: damaged") for line in listing)
    assert f"loaded: {place}/libx.so" in listing
    assert f"search path: {place}" in listing


# ------------------------------------------------------------------ going back


def test_undo_takes_the_library_back(own: Session, place: Path) -> None:
    path = put(place, "libx.so", "taken_back")
    own.run("int before = 1;")
    own.run(declare("taken_back") + "taken_back()")
    assert loaded(own, str(path))
    assert own.undo() == (f"{path} is not loaded any more",)
    assert not loaded(own, str(path))
    result = own.run(declare("taken_back") + "taken_back()")
    assert shown(result) == "1"
    assert result.notices == ("loaded libx.so for taken_back",)


def test_restoring_a_checkpoint_takes_the_library_back(own: Session, place: Path) -> None:
    path = put(place, "libx.so", "taken_back")
    own.run("int before = 1;")
    own.checkpoint("here")
    own.run(declare("taken_back") + "taken_back()")
    own.restore("here")
    assert not loaded(own, str(path))
    assert value(own, declare("taken_back") + "taken_back()") == "1"


def test_a_crash_in_the_cell_takes_its_library_back(own: Session, place: Path) -> None:
    path = put(place, "libx.so", "taken_back")
    own.run("int before = 1;")
    with pytest.raises(Crashed):
        own.run(declare("taken_back") + "before = taken_back() + 5; __builtin_trap();")
    assert not loaded(own, str(path))
    assert own.run("before").notices == ()
    result = own.run(declare("taken_back") + "before + taken_back()")
    assert shown(result) == "2"
    assert result.notices == ("loaded libx.so for taken_back",)


def test_a_crash_later_keeps_the_library(own: Session, place: Path) -> None:
    path = put(place, "libx.so", "stays_there")
    own.run(declare("stays_there") + "int got = stays_there();")
    with pytest.raises(Crashed):
        own.run("__builtin_trap();")
    assert loaded(own, str(path))
    assert value(own, "got + stays_there()") == "2"


@pytest.mark.parametrize("snapshots", [10, 0])
def test_a_new_executor_loads_the_library_again(
    new_session: NewSession, place: Path, snapshots: int
) -> None:
    session = new_session(library_dirs=(str(place),), snapshots=snapshots)
    path = put(place, "libx.so", "comes_again")
    session.run(declare("comes_again") + "int got = comes_again();")
    with pytest.raises(FarsideError):
        session.run(
            "#include <signal.h>\n#include <unistd.h>\n"
            "got = 5; kill(getppid(), SIGKILL); for (;;) pause();"
        )
    assert loaded(session, str(path))
    assert value(session, "got + comes_again()") == "2"


def test_an_exception_keeps_the_library_and_says_so(own: Session, place: Path) -> None:
    path = put(place, "libx.so", "stays_there")
    with pytest.raises(Exception, match="threw int") as caught:
        own.run(declare("stays_there") + "throw stays_there();")
    assert caught.value.__notes__ == ["loaded libx.so for stays_there"]
    assert loaded(own, str(path))


def test_an_object_file_gets_its_libraries(own: Session, place: Path, tmp_path: Path) -> None:
    put(place, "libx.so", "for_the_object")
    source, part = tmp_path / "part.cpp", tmp_path / "part.o"
    source.write_text(declare("for_the_object") + "int twice() { return 2 * for_the_object(); }")
    subprocess.run(["clang++-22", "-c", "-fPIC", source, "-o", part], check=True)
    assert own.load(str(part)) == f"loaded libx.so for for_the_object; linked {part}"
    assert value(own, "int twice();\ntwice()") == "2"


def compiled(place: Path, name: str, source: str) -> Path:
    path = place / name
    subprocess.run(
        ["clang++-22", "-shared", "-fPIC", "-xc++", "-", "-o", path],
        input=source,
        text=True,
        check=True,
    )
    return path


def test_a_library_whose_initialiser_crashes_costs_the_cell(own: Session, place: Path) -> None:
    compiled(
        place,
        "libx.so",
        'extern "C" int there() { return 1; }'
        "__attribute__((constructor)) static void start() { __builtin_trap(); }",
    )
    own.run("int kept = 1; kept = 2;")
    for _ in range(2):
        with pytest.raises(Crashed):
            own.run(declare("there") + "there()")
        assert value(own, "kept") == "2"


def test_a_library_whose_initialiser_hangs_is_stopped(new_session: NewSession, place: Path) -> None:
    compiled(
        place,
        "libx.so",
        'extern "C" { int there() { return 1; } int pause(); }'
        "__attribute__((constructor)) static void start() { for (;;) pause(); }",
    )
    session = new_session(library_dirs=(str(place),), time_limit=1.0)
    session.run("int kept = 1; kept = 2;")
    with pytest.raises(TimedOut):
        session.run(declare("there") + "there()")
    assert value(session, "kept") == "2"


def test_what_a_library_wrote_at_its_start_is_the_cells_output(own: Session, place: Path) -> None:
    compiled(
        place,
        "libx.so",
        'extern "C" { int there() { return 1; } int puts(const char *); }'
        '__attribute__((constructor)) static void start() { puts("here I am"); }',
    )
    assert own.run(declare("there") + "there()").stdout == "here I am\n"


def test_undoing_what_is_not_kept_leaves_the_library(new_session: NewSession, place: Path) -> None:
    path = put(place, "libx.so", "stays_there")
    session = new_session(library_dirs=(str(place),), snapshots=0)
    session.run("int before = 1;")
    session.run(declare("stays_there") + "int got = stays_there();")
    session.undo()
    assert loaded(session, str(path))
    assert value(session, declare("stays_there") + "stays_there()") == "1"


# ------------------------------------------------------------------ files that change


def test_a_library_that_is_replaced_before_it_is_loaded(own: Session, place: Path) -> None:
    path = put(place, "libx.so", "old_name")
    with pytest.raises(UndefinedSymbols):
        own.run(declare("new_name") + "new_name()")
    path.unlink()
    put(place, "libx.so", "old_name", "new_name")
    assert value(own, declare("new_name") + "new_name()") == "2"


def test_a_library_that_is_replaced_while_it_is_loaded(own: Session, place: Path) -> None:
    path = put(place, "libx.so", "old_name")
    own.run(declare("old_name") + "old_name()")
    path.unlink()
    put(place, "libx.so", "old_name", "new_name")
    with pytest.raises(UndefinedSymbols, match="has been replaced since it was loaded"):
        own.run(declare("new_name") + "new_name()")
    assert value(own, "old_name()") == "1"


def test_a_library_that_vanishes_is_not_found(own: Session, place: Path) -> None:
    path = put(place, "libx.so", "vanishes")
    with pytest.raises(UndefinedSymbols):
        own.run(declare("something_else") + "something_else()")
    path.unlink()
    with pytest.raises(UndefinedSymbols, match="vanishes is undefined"):
        own.run(declare("vanishes") + "vanishes()")


def test_a_thread_local_variable_is_found(own: Session, place: Path) -> None:
    content = Library([Symbol("each_thread", 7, elf.TLS)], "libx.so").build()
    (place / "libx.so").write_bytes(content)
    own.run('extern "C" thread_local long each_thread;')
    result = own.run("each_thread")
    assert shown(result) == "7"
    assert result.notices == ("loaded libx.so for each_thread",)


# ------------------------------------------------------------------ asking, and not


def test_off_looks_nowhere(new_session: NewSession, place: Path) -> None:
    put(place, "libx.so", "there")
    session = new_session(library_dirs=(str(place),), autoload="off")
    with pytest.raises(UndefinedSymbols) as caught:
        session.run(declare("there") + "there()")
    assert str(caught.value) == "there is undefined (used in cell 1)."
    assert caught.value.__notes__[0] == "libraries were not looked through (--autoload=off)"


def test_ask_asks(new_session: NewSession, place: Path) -> None:
    path = put(place, "libx.so", "there")
    session = new_session(library_dirs=(str(place),), autoload="ask")
    questions: list[str] = []
    answers = [False, True]

    def confirm(question: str) -> bool:
        questions.append(question)
        return answers.pop(0)

    session.confirm = confirm
    cell = declare("there") + "there()"
    with pytest.raises(UndefinedSymbols):
        session.run(cell)
    assert not loaded(session, str(path))
    assert value(session, cell) == "1"
    assert questions == [f"load {path} for there?"] * 2


def test_ask_without_anybody_to_ask_says_what_there_is(
    new_session: NewSession, place: Path
) -> None:
    path = put(place, "libx.so", "there")
    session = new_session(library_dirs=(str(place),), autoload="ask")
    with pytest.raises(UndefinedSymbols) as caught:
        session.run(declare("there") + "there()")
    assert f"load it with %lib {path}" in caught.value.__notes__[0]


def test_the_question_can_be_interrupted(new_session: NewSession, place: Path) -> None:
    put(place, "libx.so", "there")
    session = new_session(library_dirs=(str(place),), autoload="ask")

    def confirm(_: str) -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the interrupt was lost")

    session.confirm = confirm
    with pytest.raises(Interrupted):
        session.run(declare("there") + "there()")
    assert value(session, "1 + 1") == "2"


# ------------------------------------------------------------------ what nothing has


def test_a_name_that_is_nowhere_is_one_error(own: Session, place: Path) -> None:
    put(place, "libx.so", "fourier_transform")
    own.run(declare("fourier_tranform"))
    with pytest.raises(UndefinedSymbols) as caught:
        own.run("fourier_tranform()")
    error = caught.value
    assert str(error).startswith(
        "fourier_tranform is undefined (used in cell 2). Did you mean fourier_transform of libx.so?"
        " It was looked for in the libraries that are loaded and in "
    )
    assert error.symbols == ("fourier_tranform",)
    assert error.near == {"fourier_tranform": ("fourier_transform",)}
    assert str(place) in error.searched


def test_names_are_demangled(own: Session) -> None:
    with pytest.raises(UndefinedSymbols, match=r"^outer::nowhere\(int\) is undefined \(used in"):
        own.run("namespace outer { int nowhere(int); }\nouter::nowhere(1)")


def test_names_of_the_session_are_hints_too(own: Session) -> None:
    own.run("int distance_between(int a, int b) { return a - b; }")
    with pytest.raises(UndefinedSymbols, match=r"Did you mean distance_between\(int, int\)"):
        own.run("int distance_betwen(int, int);\ndistance_betwen(1, 2)")


def test_a_c_function_declared_as_cpp_is_explained(own: Session, place: Path) -> None:
    put(place, "libx.so", "plain_function")
    with pytest.raises(UndefinedSymbols, match=r"defines plain_function with C linkage.*extern"):
        own.run("int plain_function();\nplain_function()")


def test_a_miss_is_not_asked_for_again(
    own: Session, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(place, "libx.so", "there")
    for _ in range(2):
        with pytest.raises(UndefinedSymbols):
            own.run(declare("not_there") + "not_there()")
    autoload = own._execution.found.autoload
    assert autoload is not None
    librarian = autoload._librarian
    assert librarian is not None

    def never(*_: object) -> None:
        raise AssertionError("asked")

    librarian.find = never  # type: ignore[assignment]
    monkeypatch.setattr("farside.libraries.autoload.loaded_libraries", never)
    with pytest.raises(UndefinedSymbols):
        own.run(declare("not_there") + "not_there()")


# ------------------------------------------------------------------ a librarian that ends


def librarian_of(session: Session) -> int:
    """Return the process id of the librarian: the supervisor's child that has no slab."""
    parent = supervisor_of(session)
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    own = Path(f"/proc/{parent}/stat").read_text().rsplit(")", 1)[1].split()[20]
    for child in map(int, children):
        size = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[20]
        if child != session.worker_pid and int(size) < int(own) + (1 << 30):
            return child
    raise AssertionError("there is no librarian")


def test_a_librarian_that_was_killed_is_replaced(own: Session, place: Path) -> None:
    put(place, "liba.so", "in_a")
    put(place, "libb.so", "in_b")
    assert value(own, declare("in_a") + "in_a()") == "1"
    os.kill(librarian_of(own), signal.SIGKILL)
    assert value(own, declare("in_b") + "in_b()") == "1"


def test_taking_back_cells_leaves_the_librarian(own: Session, place: Path) -> None:
    put(place, "liba.so", "in_a")
    put(place, "libb.so", "in_b")
    assert value(own, declare("in_a") + "in_a()") == "1"
    librarian = librarian_of(own)
    with pytest.raises(Crashed):
        own.run("__builtin_trap();")
    own.undo()
    assert librarian_of(own) == librarian
    assert value(own, declare("in_b") + "in_b()") == "1"


def test_nothing_is_left_when_the_session_ends(
    new_session: NewSession, place: Path, leaves_nothing: object
) -> None:
    put(place, "liba.so", "in_a")
    session = new_session(library_dirs=(str(place),))
    assert value(session, declare("in_a") + "in_a()") == "1"
    session.close()


def test_a_missing_header_has_a_hint(session: Session) -> None:
    with pytest.raises(CompileError, match="'Eigen/Dense' file not found") as caught:
        session.run("#include <Eigen/Dense>")
    assert "use -I /usr/include/eigen3" in caught.value.__notes__[0]
