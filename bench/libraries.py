"""What it costs to find libraries by themselves, on a made-up tree; LLVM's and libc's ways beside.

    python bench/libraries.py [--libraries N] [--symbols N] [--tree DIRECTORY] [--no-peers]

The tree is 2,000 libraries with 500 functions each, half of them with C++ names, written by
`tests/library_builder.py`: minimal, but the loader loads them. They lie in the page cache, since
they have just been written. Printed: time of a scan that reads all of them, of one that knows them
from the file cache, and of one that finds nothing new, with the librarian's processor time, on
which other work on the machine counts less; what a name costs that is ruled out at home, and one
that is found; false positives; bytes over the wire; memory; and what a cell takes from its first
undefined name to its result. Each is the best of several where it can be repeated.

Beside it: `dlopen` of every library and `dlsym` in each, and `llvm::orc::LibraryResolver`, driven
by the programs in `bench/libraries_peers`, built with clang++-22.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, thread_time

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from farside.libraries.bloom import FALSE_POSITIVES, NameFilter
from farside.libraries.librarian import Librarian, ScanReport, start_librarian
from farside.options import Options
from farside.remote.executor import Executor
from farside.remote.spawn import find_executor
from farside.session import Session
from tests.library_builder import library

PEERS = Path(__file__).parent / "libraries_peers"


def names_of(number: int, count: int) -> list[str]:
    """Return the names that a library of the tree defines."""
    plain = [f"module{number}_function_{i}" for i in range(count // 2)]
    scope = f"module{number}"
    mangled = [
        f"_ZN{len(scope)}{scope}6Widget{len(name)}{name}ERKSsi"
        for name in (f"method{i}" for i in range(count - count // 2))
    ]
    return plain + mangled


def make_tree(place: Path, libraries: int, symbols: int) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for i in range(libraries):
        path = place / f"libsynthetic{i}.so"
        if not path.exists():
            path.write_bytes(library(*names_of(i, symbols), soname=path.name, sections=True))
            os.utime(path, (1_000_000_000, 1_000_000_000))


def timed(action: Callable[[], object], times: int = 1) -> float:
    """Return the shortest time of an action in seconds."""
    best = float("inf")
    for _ in range(times):
        started = perf_counter()
        action()
        best = min(best, perf_counter() - started)
    return best


def memory_of(pid: int) -> float:
    """Return the proportional set size of a process in MB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def newest_child(pid: int) -> int:
    return max(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def processor_time(pid: int) -> float:
    """Return how long a process has run on a processor, in seconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) * 1e-9


class Desk:
    """Starts librarians of one executor and times what they do."""

    def __init__(self, far: Executor, place: Path) -> None:
        self._far = far
        self._directories = [str(place)]
        self.another()

    def another(self) -> None:
        self.librarian = Librarian(start_librarian(self._far))
        self.librarian.scan([], system=False, cache=False)  # it has started then
        self.pid = newest_child(self._far._pid)

    def scan(self, *, cache: bool = True, whole: bool = True) -> tuple[float, float, ScanReport]:
        """Return wall time and processor time in seconds, and the report."""
        before, started = processor_time(self.pid), perf_counter()
        report = self.librarian.scan(self._directories, system=False, cache=cache, whole=whole)
        taken = perf_counter() - started
        return taken, processor_time(self.pid) - before, report


def show(what: str, scans: list[tuple[float, float, ScanReport]]) -> None:
    wall, processor = min(each[0] for each in scans), min(each[1] for each in scans)
    print(f"  {what:42}{wall * 1e3:9.1f} ms, {processor * 1e3:6.1f} ms of processor time")


def read_tables(place: Path) -> float:
    """Read all files of the tree, which are little but symbol tables, and nothing else."""

    def read() -> None:
        for name in sorted(os.listdir(place)):
            with open(place / name, "rb", buffering=0) as file:
                file.read()

    return timed(read, 3)


def scans(place: Path, libraries: int, symbols: int) -> None:
    print(f"tree: {libraries} libraries, {libraries * symbols} symbols")
    print(f"  {'reading the files whole, in Python':42}{read_tables(place) * 1e3:9.1f} ms")
    with Executor.spawn(find_executor()) as far:
        desk = Desk(far, place)
        print(f"  {'starting a librarian':42}{timed(desk.another, 5) * 1e3:9.1f} ms")
        cold, warm = [], []
        for _ in range(5):
            desk.another()
            cold.append(desk.scan(cache=False))
        show("scan, every file read", cold)
        desk.another()
        desk.scan()
        for _ in range(5):
            desk.another()
            warm.append(desk.scan())
        assert all(report.files_known == libraries for _, _, report in warm)
        show("scan, every file known from the cache", warm)
        show("scan, nothing new since the last", [desk.scan(whole=False) for _ in range(5)])
        first = sum(len(part.content) for part in warm[-1][2].parts)
        received = desk.librarian.received
        extra = place / "libextra.so"
        extra.write_bytes(library(*names_of(10**6, symbols)))
        show("scan, one library new", [desk.scan(whole=False)])
        print(f"  filter on the near side: {first} bytes, sent once;")
        print(f"    all that one library more sends: {desk.librarian.received - received} bytes")
        extra.unlink()
        print(f"  {'memory of the librarian (PSS)':42}{memory_of(desk.pid):9.1f} MB")
        names = NameFilter()
        names.replace(list(warm[-1][2].parts))
        desk.scan()
        questions(desk.librarian, names, libraries, symbols)


def processor_time_each(names: NameFilter, asked: list[str]) -> float:
    """Return the median time in seconds that this thread runs for a name, over groups of 100."""
    times = []
    for start in range(0, len(asked), 100):
        group = asked[start : start + 100]
        before = thread_time()
        for name in group:
            _ = name in names
        times.append((thread_time() - before) / len(group))
    return median(times)


def questions(librarian: Librarian, names: NameFilter, libraries: int, symbols: int) -> None:
    draw = random.Random(1)
    strangers = [name for i in range(400) for name in names_of(10**7 + i, 500)]
    draw.shuffle(strangers)
    passed = [name for name in strangers if name in names]
    print(
        f"  false positives: {len(passed)} of {len(strangers)},"
        f" {len(passed) / len(strangers):.2%}; stated: {FALSE_POSITIVES:.2%}"
    )
    misses = [name for name in strangers[:20000] if name not in names]
    best = processor_time_each(names, misses)
    print(f"  a miss ruled out at home                  {best * 1e6:9.2f} µs")
    hits = [draw.choice(names_of(draw.randrange(libraries), symbols)) for _ in range(2000)]
    assert all(name in names for name in hits)
    best = processor_time_each(names, hits)
    print(f"  a hit that passes the filter              {best * 1e6:9.2f} µs")
    times = [timed(lambda name=name: librarian.find([name])) for name in hits]
    print(f"  a hit, asked for alone: median            {median(times) * 1e6:9.2f} µs")
    _, found = librarian.find(hits)
    assert all(len(each) == 1 for each in found.values())
    together = timed(lambda: librarian.find(hits[:100]), 50) / 100
    print(f"  a hit, 100 asked for together             {together * 1e6:9.2f} µs")
    print(f"    that is {1 / together:,.0f} hits a second, {1 / best:,.0f} names filtered a second")
    times = [timed(lambda name=name: librarian.find([name])) for name in passed[:500]]
    if times:
        print(f"  a false positive, asked for: median       {median(times) * 1e6:9.2f} µs")
    near = timed(lambda: librarian.near(["module77_functoin_7"], 3), 3)
    print(f"  names near one that is nowhere            {near * 1e3:9.1f} ms")


def cells(place: Path, cache: Path, symbols: int) -> None:
    """Time a cell from its first undefined name to its result."""
    options = Options(output="capture", library_dirs=(str(place),))

    def cell(session: Session, number: int) -> float:
        name = names_of(number, symbols)[0]
        started = perf_counter()
        result = session.run(f'extern "C" int {name}(); {name}()')
        taken = perf_counter() - started
        assert result.value is not None
        assert result.value.text == "1"
        return taken

    for what in ("every file read", "files known from the cache"):
        if what.startswith("every"):
            cache.unlink(missing_ok=True)
        with Session(options) as session:
            session.run("int x = 0;")
            first = cell(session, 1)
            later = median([cell(session, n) for n in range(2, 22)])
            print(f"  a cell's first undefined name, {what + ':':28}{first * 1e3:8.1f} ms")
    print(f"  one more, of another library: median      {later * 1e3:9.2f} ms")
    with Session(options) as session, Session(options.with_(autoload="off")) as bare:
        times: dict[Session, list[float]] = {session: [], bare: []}
        for each in times:
            each.run("int x = 0;")
        for _ in range(300):
            for each, own in times.items():
                own.append(timed(lambda each=each: each.run("x = x + 1;")))
        print(
            f"  a cell that needs nothing: {median(times[session]) * 1e3:.3f} ms, with"
            f" --autoload=off {median(times[bare]) * 1e3:.3f} ms"
        )


def peers(place: Path, libraries: int, symbols: int) -> None:
    draw = random.Random(2)
    asked = [names_of(10**7, symbols)[0]]  # the first miss, which LLVM builds its filters for
    hits = [names_of(draw.randrange(libraries), symbols)[1] for _ in range(50)]
    asked += hits + [names_of(10**7 + i, symbols)[3] for i in range(50)]
    flags = subprocess.run(
        ["llvm-config-22", "--cxxflags", "--ldflags"], check=True, capture_output=True, text=True
    ).stdout.split()
    for program, more in (("dlopen_everything", []), ("llvm_resolver", [*flags, "-lLLVM-22"])):
        with TemporaryDirectory() as directory:
            built = Path(directory) / program
            source = PEERS / f"{program}.cpp"
            command = ["clang++-22", "-O2", "-std=c++20", str(source), *more, "-o", str(built)]
            subprocess.run(command, check=True)
            ran = subprocess.run(
                [built, place, *asked], check=True, capture_output=True, text=True
            ).stdout.splitlines()
        ready = float(ran[0].split()[-1])
        times = [float(line.split()[1]) for line in ran[1:-1]]
        found = [line.startswith("1") for line in ran[1:-1]]
        assert found == [False] + [True] * 50 + [False] * 50, found
        print(f"{program}:")
        print(f"  ready                                     {ready * 1e3:9.1f} ms")
        print(f"  the first miss                            {times[0] * 1e3:9.1f} ms")
        print(f"  a hit: median                             {median(times[1:51]) * 1e6:9.2f} µs")
        print(f"  a miss: median                            {median(times[51:]) * 1e6:9.2f} µs")
        print(f"  memory                                    {int(ran[-1]) / 1024:9.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--libraries", type=int, default=2000)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--tree", type=Path, help="keep the tree there for another run")
    parser.add_argument("--no-peers", action="store_true")
    given = parser.parse_args()
    with TemporaryDirectory() as directory:
        os.environ["XDG_CACHE_HOME"] = f"{directory}/cache"
        place = given.tree or Path(directory) / "tree"
        started = perf_counter()
        make_tree(place, given.libraries, given.symbols)
        print(f"tree written in {perf_counter() - started:.1f} s")
        scans(place, given.libraries, given.symbols)
        cells(place, Path(directory) / "cache/farside/libraries.cache", given.symbols)
        if not given.no_peers:
            peers(place, given.libraries, given.symbols)


if __name__ == "__main__":
    main()
