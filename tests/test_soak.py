"""A short soak, and what counts as lost in one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("psutil")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs signals and limits of Linux")
BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
QUICK = ("bad_models", "bad_trajectories", "full_disk_of_a_checkpoint")
QUICK += ("interrupted_fit", "killed_fit")
# In the place of accidents: each leaves something, or never ends.
PLANTED = """
import subprocess, sys, tempfile, time, warnings
import _soak_traces, soak

def file(rng, folder):
    (folder / "left").touch()
    return 1

def temporary_file(rng, folder):
    tempfile.mkstemp()
    return 1

def process(rng, folder):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    return 1

def setting(rng, folder):
    warnings.simplefilter("error")
    return 1

def hangs(rng, folder):
    time.sleep(100)

def wrong(rng, folder):
    raise AssertionError("another result")

def nothing(rng, folder):
    return 1

soak.HANGS, _soak_traces.GRACE = 3.0, 0.3
names = (file, temporary_file, process, setting, hangs, wrong, nothing)
soak.ACCIDENTS = {each.__name__: (each, 1) for each in names}
with tempfile.TemporaryDirectory() as tempfile.tempdir:
    found = soak.Soak(seed=0)
    for name in soak.ACCIDENTS:
        found.happen(name)
tempfile.tempdir = None
assert dict(found.lost) == {each.__name__: 1 for each in names[:-1]}, found.lost
assert dict(found.survived) == {"nothing": 1}, found.survived
"""


def run(*command):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *command], cwd=BENCHMARKS, env=environment, check=True)


def test_a_short_soak_loses_nothing(tmp_path):
    run("soak.py", "--seconds", "2", "--folder", str(tmp_path), "--only", *QUICK)
    found = json.loads((tmp_path / "soak.json").read_text())
    assert found["lost"] == 0
    assert [row["accident"] for row in found["rows"]] == list(QUICK)
    # Kills may come too late where others have the processor.
    assert all(row["happened"] > 0 for row in found["rows"])
    assert found["survived"] > 0


def test_what_is_left_behind_or_never_ends_is_lost():
    run("-c", PLANTED)
