"""Faults at random from a seed: what survives them, and whether anything is lost.

python benchmarks/soak.py [--seconds 120] [--seed 0] [--only NAME ...]
"""

import argparse
import faulthandler
import os
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
import traceback
import warnings
import zlib
from collections import Counter
from multiprocessing.util import Finalize
from pathlib import Path

import _soak_files
import _soak_interrupts
import _soak_kills
import _soak_pools
import _soak_threads
import numpy as np
from _common import RESULTS, write
from _soak_fits import Child
from _soak_traces import Traces, end_children, give_back_memory, memory

# Name of each accident: what happens, and how often in a round.
ACCIDENTS = {
    name: accident
    for module in (_soak_files, _soak_interrupts, _soak_kills, _soak_threads, _soak_pools)
    for name, accident in module.ACCIDENTS.items()
}
# Seconds until an accident counts as hanging, and more until the whole program is ended.
HANGS, STUCK = 90.0, 60.0
# Megabytes and open files that may be added from the first to the last quarter of a run.
GROWTH = {"megabytes": 32.0, "open files": 16}


class Hanging(BaseException):
    """An accident takes too long; no handler of errors may swallow this."""


class Soak:
    """A run of accidents, and what has become of them."""

    def __init__(self, seed):
        self.seed = seed
        self.begin = time.monotonic()
        self.happened, self.survived, self.lost = Counter(), Counter(), Counter()
        #: Memory after each accident, once each has happened.
        self.memory = []

    @property
    def seconds(self):
        return time.monotonic() - self.begin

    def happen(self, name):
        """Let an accident happen; those of a seed and name are the same in every run."""
        number = self.happened[name]
        self.happened[name] += 1
        rng = np.random.default_rng([self.seed, zlib.crc32(name.encode()), number])
        traces = Traces()
        # Where even a signal comes to nothing.
        stuck = threading.Timer(HANGS + STUCK, self._stuck, (name,))
        stuck.daemon = True
        stuck.start()
        signal.signal(signal.SIGALRM, hanging)
        signal.setitimer(signal.ITIMER_REAL, HANGS)
        try:
            with tempfile.TemporaryDirectory() as folder:
                faults = ACCIDENTS[name][0](rng, Path(folder))
                signal.setitimer(signal.ITIMER_REAL, 0.0)
                left = os.listdir(folder)
                assert not left, f"left behind: {left}"
            traces.check()
        except (Exception, Hanging):
            self.lost[name] += 1
            print(f"{self.seconds:7.1f} s {name} {number}: lost\n{traceback.format_exc()}")
            end_children()
        else:
            self.survived[name] += faults
            print(f"{self.seconds:7.1f} s {name} {number}: {faults} survived", flush=True)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            stuck.cancel()
            stuck.join()

    def _stuck(self, name):
        faulthandler.dump_traceback()
        self.lost[name] += 1
        print(f"{name}: lost, hangs for good\n{self.told()}", flush=True)
        end_children()
        os._exit(1)

    def run(self, names, seconds):
        """Let accidents happen in rounds of random order until time is over; each once at least."""
        order = np.random.default_rng(self.seed)
        for name in order.permutation(names):
            self.happen(str(name))
        often = [name for name in names for _ in range(ACCIDENTS[name][1])]
        while True:
            for name in order.permutation(often):
                if self.seconds >= seconds:
                    return
                self.happen(str(name))
                self.memory.append(memory())

    def growth(self):
        """Return memory and open files in the first and last quarter, and count what has grown."""
        if len(self.memory) < 4:
            return {}
        found = {}
        part = len(self.memory) // 4
        for (what, most), values in zip(GROWTH.items(), zip(*self.memory, strict=True)):
            first, last = (statistics.median(v) for v in (values[:part], values[-part:]))
            found[what] = {"first": first, "last": last}
            if last - first > most:
                self.lost[what] += 1
                print(f"{what}: {first:.0f} at first, {last:.0f} at last: lost")
        return found

    def told(self):
        return f"{self.survived.total()} faults survived, {self.lost.total()} lost"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="of at least one round")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=ACCIDENTS, default=list(ACCIDENTS))
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where soak.json goes")
    return parser.parse_args()


def hanging(*_):
    raise Hanging


def main():
    given = arguments()
    give_back_memory()
    # Accidents look for the warnings that they expect.
    warnings.simplefilter("ignore")
    # All temporary files in one place, where those that are left are seen.
    tempfile.tempdir = tempfile.mkdtemp()
    os.environ |= {"TMPDIR": tempfile.tempdir, "JOBLIB_TEMP_FOLDER": tempfile.tempdir}
    # After those of multiprocessing itself, at the end of this program.
    Finalize(None, shutil.rmtree, (tempfile.tempdir,), exitpriority=-200)
    Child(time.time).result()
    soak = Soak(given.seed)
    soak.run(given.only, given.seconds)
    growth = soak.growth()
    rows = [
        {
            "accident": name,
            "happened": soak.happened[name],
            "survived": soak.survived[name],
            "lost": soak.lost[name],
        }
        for name in given.only
    ]
    print(soak.told())
    content = {"seed": given.seed, "seconds": soak.seconds, "growth": growth, "rows": rows}
    content |= {"survived": soak.survived.total(), "lost": soak.lost.total()}
    write("soak", content, given.folder)
    return int(soak.lost.total() > 0)


if __name__ == "__main__":
    sys.exit(main())
