"""kill -9 everywhere: operations, workers and recovery are killed at every effect, and at random times.

A dry run of every operation lists its fault points: before and after each file written, flushed, renamed or deleted,
each row written, each commit, each step, the beacon, the routing table. Then for each point a fresh process is killed
there with SIGKILL, another one recovers, and the whole state is compared with that before and that after the operation:
code, tables, rows, ledger, registry, live rows, folders, images, exports, leftovers. A worker's visitor adds rows
meanwhile: each that was acknowledged must be there. Of a point after an effect and the one before the next effect only
one is taken: nothing happens between them.

`kills` processes that were killed, `torn` trials that ended in neither state, `lost_rows` acknowledged rows that were
gone. `--quick` takes a sample; `--seed` repeats one. `--minutes` ends it early; of the `trials`, `done` were made.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import tempfile
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from harness import arguments, report, say, sized, use_tests

use_tests("torture")

from campaign import Campaign, Size  # noqa: E402
from lab import Tally  # noqa: E402

_TELL = 250
FULL, QUICK, TINY = Size(None, 500, 3), Size(2, 40, 1), Size(1, 4, 1, operations=3)


def options() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="which sample, which moments")
    parser.add_argument("--only", action="append", default=[], metavar="OPERATION", help="may be repeated")
    parser.add_argument("--each", type=int, help="points of each operation and kind of kill")
    parser.add_argument("--random", type=int, help="kills at random times")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="trials at a time")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no more trials after that")
    parser.add_argument("--folder", type=Path, default=memory(), help="where the hosts are made")
    return parser.parse_args()


def memory() -> Path:
    """Killing processes tells nothing of the disk: where there is memory to use as one, it is quicker."""
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) else Path(tempfile.gettempdir())


def size(given: argparse.Namespace) -> Size:
    """How many trials."""
    usual: Size = sized(given, FULL, QUICK, TINY)
    each = usual.each if given.each is None else given.each
    return replace(usual, each=each, chance=usual.chance if given.random is None else given.random)


def progress(trials: int, began: float, done: int) -> None:
    """Say how far it is, now and then."""
    if done % _TELL == 0:
        say(f"{done} of {trials} trials, {(time.monotonic() - began) / 60:.0f} min")


def main() -> int:
    """Run the trials; the exit code says whether all went well."""
    given = options()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hotbay-torture-", dir=given.folder) as folder:
        campaign = Campaign(Path(folder), size=size(given), seed=given.seed, only=given.only)
        say(f"{len(campaign.trials)} trials, {campaign.points} fault points, seed {given.seed}")
        found = campaign.run(given.jobs, given.minutes * 60, partial(progress, len(campaign.trials), began))
    whole = Tally()
    for tally in found.values():
        whole.add(tally)
    counts = {who: {**asdict(tally), "torn": len(tally.torn)} for who, tally in sorted(found.items())}
    answer = {**asdict(whole), "torn": len(whole.torn), "by_who": counts, "failures": whole.torn[:20]}
    seconds = round(time.monotonic() - began, 1)
    answer |= {"points": campaign.points, "trials": len(campaign.trials), "done": whole.kills + whole.missed}
    report("torture", given, {**answer, "seed": given.seed, "seconds": seconds})
    return int(bool(whole.torn or whole.lost_rows))


if __name__ == "__main__":
    sys.exit(main())
