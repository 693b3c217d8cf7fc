"""Estimators in their smallest settings, their methods, and what makes sense of each."""

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._testing import ignore_warnings

from skkuranet import (
    KuraNetClusterer,
    KuraNetGrouper,
    KuraNetIdentifier,
    KuraNetSegmenter,
    KuraNetSynchronizer,
    OscillatorNetwork,
    compress,
    simulate_in_batches,
)

RNG = np.random.RandomState(0)
X = RNG.normal(size=(12, 2))
Y = np.arange(12) % 2
WEIGHTS = np.ones(12)
TINY = {"max_iter": 1, "hidden_layer_sizes": (4,), "random_state": 0}
IMAGE = np.kron([[0.0, 1.0], [0.5, 0.2]], np.ones((4, 4)))
SCRIBBLES = np.kron([[0, 1], [-1, -1]], np.ones((4, 4), int))
RING = np.roll(np.eye(4), 1, axis=1) + np.roll(np.eye(4), -1, axis=1)
PHASES = np.array(
    OscillatorNetwork(RING, frequency=[0.1, 0.5, 0.9, 1.6])
    .simulate(n_steps=60, step_size=0.05, random_state=0)
    .phases
)
TIMES = 0.05 * np.arange(61)


@ignore_warnings(category=(ConvergenceWarning, UserWarning))
def fitted():
    """Return a function of each method, and good parameters."""
    clusterer = KuraNetClusterer(**TINY).fit(X, Y)
    synchronizer = KuraNetSynchronizer(frequency=0, **TINY).fit(X)
    pairwise = KuraNetSynchronizer(frequency=0, coupling="pairwise", **TINY).fit(X)
    identifier = KuraNetIdentifier().fit(None, PHASES, TIMES)
    segmenter = KuraNetSegmenter(**TINY).fit(IMAGE, SCRIBBLES)
    steps = {"n_steps": 3, "step_size": 0.1, "initial_phases": WEIGHTS}
    return {
        "clusterer.fit": (
            KuraNetClusterer(**TINY).fit,
            {"X": X, "y": Y, "sample_weight": WEIGHTS},
        ),
        "clusterer.predict": (clusterer.predict, {"X": X}),
        "clusterer.predict_proba": (clusterer.predict_proba, {"X": X}),
        "clusterer.transform": (clusterer.transform, {"X": X}),
        "clusterer.score": (clusterer.score, {"X": X, "y": Y, "sample_weight": WEIGHTS}),
        "clusterer.simulate": (clusterer.simulate, {"X": X, "save_from": 0, **steps}),
        "clusterer.coupling_matrix": (clusterer.coupling_matrix, {"X": X, "Y": X}),
        "clusterer.cluster": (clusterer.cluster, {"X": X, "n_clusters": 2, "random_state": 0}),
        "clusterer.synchrony_loss": (clusterer.synchrony_loss, {"X": X, "y": Y}),
        "simulate_in_batches": (
            simulate_in_batches,
            {"estimator": pairwise, "X": X, "batch_size": 4, **steps, "step_size": 50.0},
        ),
        "compress": (compress, {"estimator": pairwise, "rank": 2, "X": X}),
        "synchronizer.fit": (KuraNetSynchronizer(frequency=0, **TINY).fit, {"X": X}),
        "synchronizer.predict": (synchronizer.predict, {"X": X}),
        "synchronizer.transform": (synchronizer.transform, {"X": X}),
        "synchronizer.score": (synchronizer.score, {"X": X}),
        "synchronizer.simulate": (synchronizer.simulate, {"X": X, "save_from": 0, **steps}),
        "synchronizer.coupling_matrix": (synchronizer.coupling_matrix, {"X": X, "Y": X}),
        "synchronizer.feature_correlation": (synchronizer.feature_correlation, {"X": X}),
        "synchronizer.fan_in": (synchronizer.fan_in, {"X": X}),
        "identifier.fit": (
            KuraNetIdentifier().fit,
            {"X": None, "phases": PHASES, "times": TIMES},
        ),
        "identifier.predict": (
            identifier.predict,
            {"X": None, "phases": PHASES[0], "times": TIMES},
        ),
        "identifier.score": (
            identifier.score,
            {"X": None, "phases": PHASES, "times": TIMES},
        ),
        "segmenter.fit": (KuraNetSegmenter(**TINY).fit, {"image": IMAGE, "mask": SCRIBBLES}),
        "segmenter.predict": (segmenter.predict, {"image": IMAGE}),
        "segmenter.transform": (segmenter.transform, {"image": IMAGE}),
        "segmenter.score": (segmenter.score, {"image": IMAGE, "mask": SCRIBBLES}),
        "grouper.fit": (KuraNetGrouper(random_state=0).fit, {"X": X}),
    }


CALLS = fitted()
ALSO = {
    # scikit-learn compares the lengths of what it scores, and names none of them.
    "X": {"inconsistent numbers of samples", "n_clusters"},
    "y": {"X", "y_true", "inconsistent numbers of samples", "Input should have"},
    "sample_weight": {"inconsistent numbers of samples", "Input should have"},
    "phases": {"times"},
    "times": {"phases"},
    "mask": {"image"},
    "image": {"mask"},
    "random_state": {"Seed", "seed"},
}
MAY_BE_NAN = set()
