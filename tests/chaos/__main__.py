"""``python -m tests.chaos [EVENTS] [SEED]``: run chaos sessions and print what came of them."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.chaos.disk import enter_namespace
from tests.chaos.session import ChaosSession, Tally

PER_SESSION = 40


def run(events: int, seed: int, tally: Tally, directory: Path, *, own_mounts: bool) -> None:
    """Run sessions with `events` events in all; session n has the seed `seed` + n."""
    for number in range((events + PER_SESSION - 1) // PER_SESSION):
        place = directory / str(number)
        place.mkdir()
        session = ChaosSession(seed + number, place, tally, own_mounts=own_mounts)
        try:
            session.run(min(PER_SESSION, events - number * PER_SESSION))
        finally:
            session.close()
        for trouble in (*tally.lost, *tally.different)[tally.shown :]:
            print(trouble, file=sys.stderr, flush=True)
            tally.shown += 1


def main() -> int:
    """Print the events by kind, and what went wrong."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    # A shell has background jobs ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    own_mounts = enter_namespace()
    if not own_mounts:
        print("there can be no mounts of its own here: no small disk is filled", file=sys.stderr)
    tally = Tally()
    started = perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        run(events, seed, tally, Path(directory), own_mounts=own_mounts)
    for kind, count in sorted(tally.events.items()):
        print(f"{count:7} {kind}")
    print(f"{tally.events.total():7} events in {perf_counter() - started:.0f} s")
    print(f"{tally.caught_up:7} times cells were run again that had no snapshot yet")
    print(f"{tally.run_again:7} times all cells were run again (--on-loss=replay)")
    print(f"{tally.started_again:7} times definitions only (--on-loss=definitions)")
    times = sorted(tally.recoveries)
    if times:
        print(f"recovery: median {median(times) * 1e3:.1f} ms, worst {times[-1] * 1e3:.1f} ms")
    print(f"sessions lost: {len(tally.lost)}")
    print(f"states that differ: {len(tally.different)}")
    return 1 if tally.lost or tally.different else 0


if __name__ == "__main__":
    sys.exit(main())
