"""Time and memory of one exact network of 10,000 disordered oscillators, 5,000 steps.

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
        for coupling in ("factorized", "pairwise"):
            # What the couplings have learned does not matter for time and memory.
            model = KuraNetSynchronizer(
                coupling=coupling, random_state=0, max_iter=20, batch_size=4, **ROLES[case]
            ).fit(X)
            found = measure(
                lambda model=model, X=X: model.simulate(
                    X.astype(np.float32), n_steps=N_STEPS, save_from=N_STEPS - N_SCORED
                )
            )
            rows.append({"case": case, "coupling": coupling, "n": N_NODES} | found)
            print(
                f"case {case}, {coupling}: {found['seconds']:.1f} s, "
                f"{found['gigabytes_above_input']:.2f} GB",
                flush=True,
            )
            write("synchrony_scale", {"rows": rows})


if __name__ == "__main__":
    main()
