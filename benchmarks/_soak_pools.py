"""Workers of joblib and of dask that are killed, and ranks of gloo."""

import contextlib
import importlib.util
import os
import random
import shutil
import signal
import threading
from datetime import timedelta

import joblib
import psutil
import torch.distributed as dist
from _soak_fits import (
    Child,
    answers,
    check_same,
    check_unfitted,
    data_of,
    model_of,
    processes,
    seconds_of,
    undisturbed,
)
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import BrokenProcessPool

from skkuranet import distributed as shared

KIND = "restarts"


def end_pool():
    """End the workers that joblib keeps for the next call."""
    get_reusable_executor().shutdown(wait=True, kill_workers=True)


@contextlib.contextmanager
def killing(pids, seconds):
    """Kill one of the processes that a function names, after so many seconds."""
    killed = []

    def kill():
        for pid in pids()[:1]:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    timer = threading.Timer(seconds, kill)
    timer.start()
    try:
        yield killed
    finally:
        timer.cancel()
        timer.join()


def workers():
    """Processes of joblib's pool."""
    found = psutil.Process().children()
    return [each.pid for each in found if "loky.backend.popen" in " ".join(each.cmdline())]


def killed_worker(rng, folder):
    """A worker of joblib dies: joblib says so, the estimator is as before, and a fit goes on."""
    undisturbed(KIND)
    model = model_of(KIND, n_jobs=2, checkpoint=folder / "state", checkpoint_every=5)
    try:
        with killing(workers, rng.uniform(0.0, 6.0 * seconds_of(KIND))) as killed:
            model.fit(*data_of(KIND))
    except BrokenProcessPool:
        check_unfitted(model)
    end_pool()
    check_same(KIND, answers(KIND, model.fit(*data_of(KIND))))
    end_pool()
    return len(killed)


def killed_dask_worker(rng, folder):
    """A worker of dask dies: another does its work."""
    import dask
    import distributed

    undisturbed(KIND)
    # dask draws from Python's generator, and sets variables of the environment.
    drawn, environment = random.getstate(), dict(os.environ)
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        dask.config.set({"temporary-directory": str(folder)}),
        distributed.LocalCluster(**settings) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())
        model = model_of(KIND, n_jobs=2)
        with (
            joblib.parallel_config("dask"),
            killing(lambda: pids, rng.uniform(0.0, seconds_of(KIND))) as killed,
        ):
            model.fit(*data_of(KIND))
        check_same(KIND, answers(KIND, model))
    shutil.rmtree(folder / "dask-scratch-space")
    random.setstate(drawn)
    os.environ.clear()
    os.environ.update(environment)
    return len(killed)


def rank_of_two(rank, meeting, kind, model, begin):
    """Fit as one of two ranks."""
    dist.init_process_group(
        "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=20),
    )
    # Neither begins before both have met.
    begin.set()
    try:
        return answers(kind, shared.fit(model, *data_of(kind)))
    finally:
        with contextlib.suppress(Exception):
            dist.destroy_process_group()


class Pair:
    """Two ranks that fit together."""

    def __init__(self, folder, kind, model):
        self.meeting = folder / "meeting"
        self.meeting.unlink(missing_ok=True)
        met = [processes.Event() for _ in range(2)]
        self.ranks = [
            Child(rank_of_two, rank, self.meeting, kind, model, met[rank]) for rank in range(2)
        ]
        for each in met:
            assert each.wait(30.0), "ranks do not meet"

    def results(self):
        found = [rank.result() for rank in self.ranks]
        self.meeting.unlink(missing_ok=True)
        return found


_TOGETHER = {}


def killed_rank(rng, folder):
    """A rank dies: the other ends with an error, and both go on from the checkpoint."""
    kind = str(rng.choice(["clusterer", "pairwise"]))
    parameters = {"batch_size": 4, "checkpoint": folder / "state", "checkpoint_every": 2}
    if kind not in _TOGETHER:
        _TOGETHER[kind] = Pair(folder, kind, model_of(kind, batch_size=4)).results()[0]
    model = model_of(kind, **parameters)
    pair = Pair(folder, kind, model)
    victim = int(rng.integers(2))
    faults = pair.ranks[victim].kill_after(rng.uniform(0.0, seconds_of(kind)))
    with contextlib.suppress(ConnectionError):
        pair.ranks[1 - victim].result()
    for found in Pair(folder, kind, model).results():
        for one, other in zip(found, _TOGETHER[kind], strict=True):
            assert (one == other).all(), "another result than that of undisturbed ranks"
    (folder / "meeting").unlink(missing_ok=True)
    return int(faults)


ACCIDENTS = {"killed_worker": (killed_worker, 1), "killed_rank": (killed_rank, 1)}
if importlib.util.find_spec("distributed"):
    ACCIDENTS["killed_dask_worker"] = (killed_dask_worker, 1)
