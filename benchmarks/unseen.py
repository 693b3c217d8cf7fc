"""Clusters never seen: learn couplings on digits 0-6, then cluster the images of 7, 8 and 9.

python benchmarks/unseen.py [--seeds 0 1 2 3 4]
"""

import argparse
import statistics

from _common import write
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skkuranet import KuraNetClusterer


def row(seed):
    X, y = load_digits(return_X_y=True)
    seen = y < 7
    train, X_new, y_new = (X[seen], y[seen]), X[~seen], y[~seen]
    ours = KuraNetClusterer(random_state=seed).fit(*train)
    nca = make_pipeline(StandardScaler(), NeighborhoodComponentsAnalysis(random_state=seed))
    kmeans = KMeans(3, n_init=10, random_state=seed)
    labels = {
        "ours": ours.cluster(X_new, n_clusters=3, random_state=seed),
        "kmeans": kmeans.fit_predict(X_new),
        "nca_kmeans": kmeans.fit_predict(nca.fit(*train).transform(X_new)),
    }
    return {"seed": seed, **{k: float(adjusted_rand_score(y_new, v)) for k, v in labels.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    rows = []
    for seed in parser.parse_args().seeds:
        rows.append(row(seed))
        print("  ".join(f"{k} {v:.4g}" for k, v in rows[-1].items()), flush=True)
    for name in ("ours", "kmeans", "nca_kmeans"):
        values = [r[name] for r in rows]
        print(f"{name:12s} median {statistics.median(values):.3f}, worst {min(values):.3f}")
    write("unseen", {"rows": rows})


if __name__ == "__main__":
    main()
