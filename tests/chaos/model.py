"""What the program of a chaos session holds, and the C++ that it is made of.

`State` knows what the program's variables must be. Each `change` alters both: it returns the code
of a cell and updates the state as the cell should. `State.text` is what ``report()`` must print.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

Row = list[int]

FILE_SIZE = 4096

HEADERS = """
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <farside/display.h>
#include <fcntl.h>
#include <link.h>
#include <map>
#include <mutex>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>
"""

DEFINITIONS = """
long counter = 0;
std::vector<long> numbers;
std::map<long, std::string> names;
struct Node { long value; Node *next; };
Node *list = nullptr;
struct Vertex { long id; std::vector<Vertex *> next; };
std::vector<Vertex *> graph;
thread_local long local = 7;
std::mutex gate;
bool gate_is_closed = false;
volatile sig_atomic_t signals = 0;
extern "C" void on_signal(int) { signals = signals + 1; }
long next_id() { static long id = 0; return ++id; }
long last_id = 0;
long twist(long n) { return n; }
bool is_blocked() {
  sigset_t now;
  pthread_sigmask(SIG_BLOCK, nullptr, &now);
  return sigismember(&now, SIGUSR2);
}
"""

REPORT = """
void report() {
  std::printf("%ld %ld %ld %ld %d %d %d|", counter, last_id, local, (long)lseek(file, 0, SEEK_CUR),
              (int)gate_is_closed, (int)signals, (int)is_blocked());
  for (long n : numbers) std::printf("%ld ", n);
  std::printf("|");
  for (auto &[key, name] : names) std::printf("%ld:%s ", key, name.c_str());
  std::printf("|");
  for (Node *node = list; node; node = node->next) std::printf("%ld ", node->value);
  for (Vertex *vertex : graph) {
    std::printf("|%ld:", vertex->id);
    for (Vertex *next : vertex->next) std::printf("%ld ", next->id);
  }
  std::printf("|%ld", twist(1));
  char where[4096];
  std::printf("|%s", getcwd(where, sizeof where));
}
"""


@dataclass
class State:
    """The values of the program's variables."""

    where: str
    counter: int = 0
    last_id: int = 0
    local: int = 7
    offset: int = 0
    closed: bool = False
    signals: int = 0
    blocked: bool = False
    numbers: list[int] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    list: list[int] = field(default_factory=list)
    graph: dict[int, Row] = field(default_factory=dict)  # ids of the next ones, by id
    twist: int = 0
    extras: dict[str, tuple[int, int]] = field(default_factory=dict)  # value, initial value

    def text(self) -> str:
        """Return what ``report()`` and the extras must print."""
        flags = f"{int(self.closed)} {self.signals} {int(self.blocked)}"
        return (
            f"{self.counter} {self.last_id} {self.local} {self.offset} {flags}|"
            + "".join(f"{n} " for n in self.numbers)
            + "|"
            + "".join(f"{key}:{name} " for key, name in sorted(self.names.items()))
            + "|"
            + "".join(f"{n} " for n in self.list)
            + "".join(
                f"|{vertex}:" + "".join(f"{each} " for each in following)
                for vertex, following in self.graph.items()
            )
            + f"|{self.twist + 1}|{self.where}"
            + "".join(f" {value}" for value, _ in self.extras.values())
        )

    def started_again(self, where: str) -> State:
        """Return the state after definitions only."""
        extras = {name: (first, first) for name, (_, first) in self.extras.items()}
        return State(where, twist=self.twist, extras=extras)

    def copy(self) -> State:
        """Return a copy that shares nothing."""
        return deepcopy(self)


def set_up(directory: Path, announce: str) -> list[str]:
    """Return the first cells; `announce` is the path of a pipe that a running cell writes to."""
    (directory / "file").write_bytes(bytes(FILE_SIZE))
    for name in ("a", "b"):
        (directory / name).mkdir()
    return [
        HEADERS,
        DEFINITIONS,
        f'int file = open("{directory}/file", O_RDONLY);\n'
        f'int announce = open("{announce}", O_WRONLY);',
        REPORT,
    ]


def show(state: State) -> str:
    """Return the cell that prints the state."""
    return "report();" + "".join(f' std::printf(" %ld", {name});' for name in state.extras)


def change(state: State, random: Random, directory: Path) -> str:
    """Alter the state at random; return the code that does the same."""
    k = random.randrange(1000)
    match random.choice(KINDS):
        case "count":
            state.counter += k
            return f"counter += {k};"
        case "display":  # calls the near side in the middle of the cell
            state.counter += 2 * k
            return f"counter += {k}; farside::display(counter); counter += {k};"
        case "push":
            state.numbers.append(k)
            return f"numbers.push_back({k});"
        case "sort" if state.numbers:
            state.numbers.sort()
            state.numbers.pop()
            return "std::sort(numbers.begin(), numbers.end()); numbers.pop_back();"
        case "name":
            state.names[k % 10] = "n" * (k % 40 + 1)
            return f"names[{k % 10}] = std::string({k % 40 + 1}, 'n');"
        case "link":
            state.list.insert(0, k)
            return f"list = new Node{{{k}, list}};"
        case "unlink" if state.list:
            state.list.pop(0)
            return "{ Node *gone = list; list = list->next; delete gone; }"
        case "vertex":
            vertex = len(state.graph)
            targets: Row = [random.randrange(vertex + 1) for _ in range(k % 3)]
            state.graph[vertex] = targets
            edges = "".join(f" graph.back()->next.push_back(graph[{each}]);" for each in targets)
            return f"graph.push_back(new Vertex{{{vertex}, {{}}}});{edges}"
        case "edge" if state.graph:
            a, b = (random.randrange(len(state.graph)) for _ in range(2))
            state.graph[a].append(b)
            return f"graph[{a}]->next.push_back(graph[{b}]);"
        case "prune" if state.graph:
            last = len(state.graph) - 1
            del state.graph[last]
            for following in state.graph.values():
                following[:] = [each for each in following if each != last]
            return (
                "for (Vertex *each : graph) std::erase(each->next, graph.back());"
                " delete graph.back(); graph.pop_back();"
            )
        case "static":
            state.last_id += 1
            return "last_id = next_id();"
        case "thread_local":
            state.local += k
            return f"local += {k};"
        case "read" if state.offset < FILE_SIZE - 64:
            state.offset += k % 64
            return f"{{ char bytes[64]; (void)!read(file, bytes, {k % 64}); }}"
        case "close" if not state.closed:
            state.closed = True
            return "gate.lock(); gate_is_closed = true;"
        case "open" if state.closed:
            state.closed = False
            return "gate.unlock(); gate_is_closed = false;"
        case "chdir":
            state.where = str(directory / ("a" if k % 2 else "b"))
            return f'(void)!chdir("{state.where}");'
        case "signal" if not state.blocked:
            state.signals += 1
            return "std::signal(SIGUSR2, on_signal); std::raise(SIGUSR2);"
        case "mask":
            state.blocked = not state.blocked
            how = "SIG_BLOCK" if state.blocked else "SIG_UNBLOCK"
            return (
                "{ sigset_t set; sigemptyset(&set); sigaddset(&set, SIGUSR2);"
                f" pthread_sigmask({how}, &set, nullptr); }}"
            )
    state.counter += 1
    return "++counter;"


def define(state: State, random: Random, number: int) -> str:
    """Add a variable with a function that uses it; return the code."""
    name = f"extra_{number}"
    k = random.randrange(1000)
    state.extras[name] = (k, k)
    return f"long {name} = {k}; long get_{number}() {{ return {name}; }}"


def redefine(state: State, random: Random) -> str:
    """Define a function again that an earlier cell calls; return the code."""
    state.twist = random.randrange(1000)
    return f"long twist(long n) {{ return n + {state.twist}; }}"


def large(code: str) -> str:
    """Make a cell's text, object and commit larger than any socket takes at once."""
    return f"/* {'x' * 300_000} */ {{ static char many[300000] = {{1}}; many[1] = 2; }} {code}"


def touch(state: State, random: Random) -> str:
    """Alter one of the added variables; return the code."""
    name = random.choice(list(state.extras))
    value, first = state.extras[name]
    state.extras[name] = (value + 1, first)
    return f"{name} = get_{name.removeprefix('extra_')}() + 1;"


KINDS = (
    "count display push push sort name link link unlink vertex vertex edge edge prune static"
    " thread_local read close open chdir"
    " signal mask"
).split()
