"""Time and memory of predicting a million new rows in one call, and of one large network.

python benchmarks/prediction.py
"""

import numpy as np
from _common import measure, write_times
from sklearn.datasets import load_digits

from skkuranet import KuraNetClusterer
from skkuranet.datasets import make_gaussian_ring

N_ROWS = 1_000_000


def main():
    rng = np.random.RandomState(0)
    ring = make_gaussian_ring(5, 10_000, random_state=rng)
    digits = load_digits(return_X_y=True)
    rows = []
    for name, (X, y) in {"GMM5, 2 features": ring, "digits, 64 features": digits}.items():
        model = KuraNetClusterer(random_state=0).fit(X, y)
        model.predict(X[:100])
        new = X[rng.randint(len(X), size=N_ROWS)] + 1e-3 * rng.standard_normal((N_ROWS, X.shape[1]))
        rows.append(
            {"what": f"predict, {name}", "n": N_ROWS} | measure(lambda m=model, X=new: m.predict(X))
        )
    model, X = KuraNetClusterer(random_state=0).fit(*ring), ring[0]
    rows.append(
        {"what": "simulate one exact network, 500 units of time", "n": len(X)}
        | measure(lambda: model.simulate(X, save_from=500))
    )
    write_times("prediction", rows, "rows")


if __name__ == "__main__":
    main()
