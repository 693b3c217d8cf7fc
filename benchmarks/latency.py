"""Time of a call that predicts one row, beside a perceptron of scikit-learn.

OMP_NUM_THREADS=1 python benchmarks/latency.py
"""

import time
import warnings

import numpy as np
from _common import write
from sklearn.datasets import load_digits, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from skkuranet import KuraNetClusterer

N_CALLS, N_FEATURES = 1000, 10
# How good couplings are makes no difference to what a call takes.
MODELS = {
    "factorised": KuraNetClusterer(max_iter=10, random_state=0),
    "pairwise": KuraNetClusterer("pairwise", max_iter=10, random_state=0),
    "MLPClassifier": MLPClassifier(max_iter=10, random_state=0),
}


def milliseconds_of_a_call(model, row):
    seconds = []
    for _ in range(N_CALLS):
        start = time.perf_counter()
        model.predict(row)
        seconds.append(time.perf_counter() - start)
    return 1e3 * float(np.median(seconds))


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)
    tables = {
        "digits, 64 features": load_digits(return_X_y=True),
        f"a table, {N_FEATURES} features": make_classification(
            2000, N_FEATURES, n_informative=6, random_state=0
        ),
    }
    rows = []
    for table, (X, y) in tables.items():
        found = {
            name: milliseconds_of_a_call(model.fit(X, y), X[:1]) for name, model in MODELS.items()
        }
        print(table, ", ".join(f"{name} {value:.2f} ms" for name, value in found.items()))
        rows.append({"what": table, "milliseconds": found})
    write("latency", {"rows": rows})


if __name__ == "__main__":
    main()
