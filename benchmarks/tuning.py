"""What the parameters of the clusterer do to tables: accuracy, log loss and time.

Beside its defaults, on ten tables of ``benchmarks/tables.py`` and one thread.

    python benchmarks/tuning.py
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import time
import warnings

import numpy as np
import torch
from _common import write
from _tables_data import TABLES
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from skkuranet import KuraNetClusterer

# Other folds, and other tables where they are drawn, than those of tables.py.
SEED = 1
NAMES = (
    "iris",
    "breast_cancer",
    "digits",
    "faces",
    "gaussians20_imbalanced",
    "many_features",
    "label_noise",
    "rare_class",
    "six_classes",
    "hastie",
)
CHANGES = [
    {"weight_decay": 0.1},
    {"weight_decay": 0.3},
    {"weight_decay": 3.0},
    {"weight_decay": 10.0},
    {"hidden_layer_sizes": (32, 32)},
    {"hidden_layer_sizes": (128, 128)},
    {"hidden_layer_sizes": (64, 64, 64)},
    {"learning_rate_init": 3e-3},
    {"n_iter_no_change": 8},
    {"max_iter": 100},
    {"max_iter": 1000},
    {"class_weight": "balanced"},
    {"network_size": 200},
    {"rank": 100},
]


def figures(change):
    """Accuracy, log loss and CPU seconds of each table, means of the folds, (n_tables, 3)."""
    found = []
    for name in NAMES:
        rows = []
        for train, (X, y) in TABLES[name].folds(SEED):
            model = KuraNetClusterer(random_state=0, **change)
            start = time.process_time()
            model.fit(*train)
            seconds = time.process_time() - start
            probabilities = model.predict_proba(X)
            right = model.classes_[probabilities.argmax(axis=1)] == y
            loss = log_loss(y, probabilities, labels=model.classes_)
            rows.append((right.mean(), loss, seconds))
        found.append(np.mean(rows, axis=0))
    return np.array(found)


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    figures({})
    default = figures({})
    rows = []
    for change in CHANGES:
        found = figures(change)
        row = {
            "change": ", ".join(f"{name}={value!r}" for name, value in change.items()),
            "accuracy": float(np.mean(found[:, 0] - default[:, 0])),
            "log_loss": float(np.exp(np.mean(np.log(found[:, 1] / default[:, 1])))),
            "time": float(np.exp(np.mean(np.log(found[:, 2] / default[:, 2])))),
        }
        rows.append(row)
        print(
            f"{row['change']:36s} accuracy {row['accuracy']:+.4f}, log loss x "
            f"{row['log_loss']:.3f}, time x {row['time']:.2f}",
            flush=True,
        )
    write("tuning", {"tables": NAMES, "rows": rows})


if __name__ == "__main__":
    main()
