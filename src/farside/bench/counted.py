"""What `farside.bench.instructions` runs under Valgrind: a session of a fixed list of cells.

``python -m farside.bench.counted KIND COUNT`` prints the pid of the worker. With a third word it
ends without closing the session: Valgrind 3.19 has no ``pidfd_open``, which that takes.
"""

from __future__ import annotations

import os
import sys

from farside.annotations import TYPE_CHECKING
from farside.options import Options
from farside.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

CELLS: dict[str, Callable[[int], str]] = {
    "trivial": lambda _: "x = x + 1;",
    "function": lambda number: f"int f{number}(int a) {{ return a * {number} + 1; }}",
    "display": lambda number: f"x + {number}",
    "container": lambda number: (
        f"struct T{number} {{ int a; }}; std::vector<T{number}> v{number}(3);"
        f" v{number}.push_back(T{number}{{7}});"
    ),
}
BEFORE = ("int x = 0;", *["x = x + 1;"] * 4)  # then every path of a trivial cell has been taken


def main() -> None:
    """Run the cells."""
    kind, count = sys.argv[1], int(sys.argv[2])
    with Session(Options(output="capture")) as session:
        for code in BEFORE:
            session.run(code)
        for number in range(count):
            session.run(CELLS[kind](number))
        print(session.worker_pid, flush=True)
        if sys.argv[3:]:
            os._exit(0)


if __name__ == "__main__":
    main()
