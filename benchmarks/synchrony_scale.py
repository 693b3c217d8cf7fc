"""Time and memory of training, and of one exact network of 10,000 oscillators, 5,000 steps.

python benchmarks/synchrony_scale.py [--cases I II III]
"""

import argparse

import numpy as np
from _common import N_NODES, measure, write
from global_synchrony import N_SCORED, N_STEPS, ROLES

from skkuranet import KuraNetSynchronizer
from skkuranet.datasets import make_disorder


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=[*ROLES])
    rows = []
    for case in parser.parse_args().cases:
        X = make_disorder(case, N_NODES, random_state=0)
        trained = KuraNetSynchronizer(random_state=0, **ROLES[case])
        # What the pairwise couplings have learned does not matter for time and memory.
        paper = KuraNetSynchronizer(
            coupling="pairwise", random_state=0, max_iter=20, batch_size=4, **ROLES[case]
        )
        training = measure(lambda model=trained, X=X: model.fit(X))
        rows.append({"case": case, "what": "training", "n": N_NODES} | training)
        paper.fit(X)
        for model in (trained, paper):
            found = measure(
                lambda model=model, X=X: model.simulate(
                    X.astype(np.float32), n_steps=N_STEPS, save_from=N_STEPS - N_SCORED
                )
            )
            rows.append({"case": case, "what": model.coupling, "n": N_NODES} | found)
        for row in rows[-3:]:
            print(
                f"case {case}, {row['what']}: {row['seconds']:.1f} s, "
                f"{row['gigabytes_above_input']:.2f} GB",
                flush=True,
            )
        write("synchrony_scale", {"rows": rows})


if __name__ == "__main__":
    main()
