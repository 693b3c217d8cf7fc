"""Table II's mixtures, real data and peers: losses, accuracy and time, as JSON and a table.

Protocol of the paper: 10,000 training and 10,000 test nodes. Data: mean over 100 test networks
of 100 nodes. Size: all training nodes as one exact network. Data+Size: all test nodes as one.
All from random initial phases, after 500 units of time.

    python benchmarks/mixtures.py [--seeds 0 1 2 3 4] [--coupling factorized] [--out FILE]
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_circles,
    make_moons,
)
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skkuranet import KuraNetClusterer
from skkuranet.datasets import make_gaussian_ring, make_spirals

N_NODES, NETWORK, N_NETWORKS = 10_000, 100, 100

MIXTURES = {
    "Moons": lambda rng: make_moons(N_NODES, noise=0.05, random_state=rng),
    "Circles": lambda rng: make_circles(N_NODES, noise=0.05, factor=0.5, random_state=rng),
    "Spirals": lambda rng: make_spirals(N_NODES, noise=0.5, random_state=rng),
    **{
        f"GMM{k}": lambda rng, k=k: make_gaussian_ring(k, N_NODES, random_state=rng)
        for k in range(2, 11)
    },
}

REAL = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
}


def peers(seed):
    return {
        "MLP": make_pipeline(StandardScaler(), MLPClassifier(random_state=seed)),
        "KNN": make_pipeline(StandardScaler(), KNeighborsClassifier()),
        "SVC": make_pipeline(StandardScaler(), SVC(random_state=seed)),
        "forest": RandomForestClassifier(random_state=seed),
    }


def timed_accuracy(model, train, test):
    start = time.perf_counter()
    model.fit(*train)
    fitted = time.perf_counter()
    accuracy = float(np.mean(model.predict(test[0]) == test[1]))
    return {
        "accuracy": accuracy,
        "fit_s": fitted - start,
        "predict_s": time.perf_counter() - fitted,
    }


def regimes(model, train, test, seed):
    rng = np.random.RandomState(seed)
    networks = [slice(i, i + NETWORK) for i in range(0, N_NETWORKS * NETWORK, NETWORK)]
    data = [model.synchrony_loss(test[0][n], test[1][n], random_state=rng) for n in networks]
    return {
        "data": float(np.mean(data)),
        "size": model.synchrony_loss(*train, random_state=rng),
        "data_size": model.synchrony_loss(*test, random_state=rng),
    }


def mixture(name, seed, settings):
    rng = np.random.RandomState(seed)
    train, test = MIXTURES[name](rng), MIXTURES[name](rng)
    model = KuraNetClusterer(random_state=seed, **settings)
    row = {"data_set": name, "seed": seed, "ours": timed_accuracy(model, train, test)}
    row["loss"] = regimes(model, train, test, seed)
    row["limit_loss"], row["n_iter"] = model.limit_loss_, model.n_iter_
    row["peers"] = {k: timed_accuracy(m, train, test) for k, m in peers(seed).items()}
    return row


def real(name, seed, settings):
    X, y = REAL[name](return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    models = {"ours": KuraNetClusterer(random_state=seed, **settings), **peers(seed)}
    scores = {
        k: [timed_accuracy(m, (X[a], y[a]), (X[b], y[b])) for a, b in folds.split(X, y)]
        for k, m in models.items()
    }
    means = {k: {f: statistics.mean(s[f] for s in v) for f in v[0]} for k, v in scores.items()}
    return {"data_set": name, "seed": seed, "ours": means.pop("ours"), "peers": means}


def line(row):
    losses = row.get("loss", {})
    text = "".join(
        f"{losses[k]:9.5f}" if losses else " " * 9 for k in ("data", "size", "data_size")
    )
    best = "".join(f"{p['accuracy']:8.4f}" for p in row["peers"].values())
    ours = row["ours"]
    text = f"{row['data_set']:14s}{row['seed']:3d}{text}"
    return f"{text}{ours['fit_s']:7.1f}{ours['accuracy']:8.4f}{best}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--coupling", default="factorized")
    parser.add_argument("--sets", nargs="+", default=[*MIXTURES, *REAL])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/mixtures.json"))
    options = parser.parse_args()
    settings = {"coupling": options.coupling}
    print(
        f"{'set':14s}seed    data     size  d+size   fit_s    ours     MLP     KNN     SVC  forest"
    )
    rows = []
    for name in options.sets:
        for seed in options.seeds:
            rows.append((mixture if name in MIXTURES else real)(name, seed, settings))
            print(line(rows[-1]), flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"settings": settings, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
