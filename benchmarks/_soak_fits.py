"""Fits of the soak, what they say when nothing disturbs them, and processes to run them in."""

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
import time
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_blobs

from skkuranet import KuraNetClusterer, KuraNetSegmenter, KuraNetSynchronizer
from skkuranet.datasets import make_disorder

X, Y = make_blobs(200, centers=3, cluster_std=2.0, random_state=1)
IMAGE = np.random.default_rng(0).random((16, 20))
IMAGE[:, 10:] += 1.0
MASK = (IMAGE > 1.0).astype(int)
QUICK = {"max_iter": 40, "hidden_layer_sizes": (16,), "random_state": 0, "tol": 0.0}
FITS = {
    "clusterer": (KuraNetClusterer(network_size=40, **QUICK), (X, Y)),
    "restarts": (KuraNetClusterer(network_size=40, n_init=2, **QUICK), (X, Y)),
    "pairwise": (KuraNetClusterer("pairwise", network_size=20, **QUICK), (X, Y)),
    "synchronizer": (
        KuraNetSynchronizer(n_steps=20, network_size=20, **QUICK),
        (make_disorder("I", 100, random_state=0),),
    ),
    "segmenter": (KuraNetSegmenter(network_size=40, place=False, **QUICK), (IMAGE, MASK)),
    "groups": (KuraNetSegmenter(network_size=40, n_segments=2, **QUICK), (IMAGE, MASK)),
}
# Seconds that a process may take for what takes less than one.
LONGEST = 60.0
# What a server imports once, so that each of its processes begins at once.
PRELOADED = ("sklearn.datasets", "skkuranet.estimators.clusterer", "skkuranet.distributed")

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(list(PRELOADED))


def model_of(kind, **parameters):
    """An estimator that is not fitted yet."""
    return clone(FITS[kind][0]).set_params(**parameters)


def data_of(kind):
    return FITS[kind][1]


def any_fit(rng, folder):
    """Name of a fit, and its estimator with a checkpoint."""
    kind = str(rng.choice(list(FITS)))
    every = int(rng.integers(1, 20))
    return kind, model_of(kind, checkpoint=folder / "state", checkpoint_every=every)


def answers(kind, model):
    """All that a fitted model says."""
    rows = data_of(kind)[0]
    found = [np.asarray(model.loss_curve_), np.asarray(model.predict(rows))]
    found += [model.transform(rows), model.simulate(rows, n_steps=3, random_state=0).phases]
    return [*found, model.predict_proba(rows)] if hasattr(model, "predict_proba") else found


@functools.cache
def undisturbed(kind):
    """Answers of a fit that nothing disturbs, and its seconds."""
    begin = time.perf_counter()
    model = model_of(kind).fit(*data_of(kind))
    seconds = time.perf_counter() - begin
    return answers(kind, model), seconds


def seconds_of(kind):
    return undisturbed(kind)[1]


def check_same(kind, found):
    """Raise AssertionError unless answers are those of the undisturbed fit, bit for bit."""
    for one, other in zip(found, undisturbed(kind)[0], strict=True):
        np.testing.assert_array_equal(one, other, err_msg=f"another result of {kind}")


def error_of(kinds, action, *args):
    """Return the error of these kinds that an action raises, or None."""
    try:
        action(*args)
    except kinds as error:
        return error
    return None


def check_unfitted(model):
    assert not hasattr(model, "coupling_"), "a fit that failed has left half of its result"


def interrupted(seconds, action, *args):
    """Do something that SIGINT ends after so many seconds; say whether it came in time."""
    armed, came = True, False

    def strike(*_):
        nonlocal came
        if armed:
            came = True
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, strike)
    main = threading.get_ident()
    timer = threading.Timer(seconds, signal.pthread_kill, (main, signal.SIGINT))
    with contextlib.suppress(KeyboardInterrupt):
        try:
            timer.start()
            action(*args)
        finally:
            armed = False
    timer.cancel()
    timer.join()
    signal.signal(signal.SIGINT, before)
    return came


class Child:
    """A function in a process of its own; what it returns, or that it was killed."""

    def __init__(self, function, *args):
        self.here, there = processes.Pipe(duplex=False)
        self.process = processes.Process(target=_report, args=(there, function, args))
        self.process.start()
        there.close()
        # It has begun, so that what follows disturbs the function and not its imports.
        self._heard()

    def _heard(self):
        if not self.here.poll(LONGEST):
            raise TimeoutError("a process hangs")
        return self.here.recv()

    def kill_after(self, seconds):
        """Kill the process; say whether it was still at work."""
        self.process.join(seconds)
        at_work = self.process.exitcode is None and not self.here.poll()
        self.process.kill()
        self.close()
        return at_work

    def result(self):
        """Return what the function returns or raise what it raises."""
        try:
            found = self._heard()
        except EOFError:
            raise ChildProcessError("a process died without a word") from None
        finally:
            self.close()
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self):
        """End the process, if it has not ended by itself."""
        self.process.kill()
        self.process.join(LONGEST)
        self.process.close()
        self.here.close()


def _report(there, function, args):
    warnings.simplefilter("ignore")
    there.send(os.getpid())
    try:
        found = function(*args)
    except Exception as error:
        found = error
    there.send(found)


def fit_and_answer(kind, model):
    return answers(kind, model.fit(*data_of(kind)))
