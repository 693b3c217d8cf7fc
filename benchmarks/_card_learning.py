"""Training, fits and predictions on a card, for ``card.py``."""

import itertools
import statistics
import time

import numpy as np
import torch
from segmentation_scale import PAPER, photograph, scribbles
from sklearn.datasets import make_moons

from skkuranet import KuraNetClusterer, KuraNetSegmenter
from skkuranet.coupling import (
    Balanced,
    FactorizedNetwork,
    InDegree,
    PairwiseNetwork,
    couple,
)
from skkuranet.dynamics import replayed_steps
from skkuranet.objectives import ClusterObjective
from skkuranet.training import Curriculum, train

NETWORKS = {
    "factorised": lambda: (FactorizedNetwork(2), Balanced()),
    "pairwise": lambda: (PairwiseNetwork(2), InDegree()),
}
WAYS = {"eager": False, "recorded": True}
N_NODES, N_STEPS, STEP = 100, 100, 0.1


def batch_seconds(card, kind, n_networks):
    """Seconds of one iteration over the whole horizon, as speed.py has them."""
    torch.manual_seed(0)
    network, normalization = NETWORKS[kind]()
    X = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0)).to(card.device)
    objective = ClusterObjective((torch.arange(2000) % 5).to(card.device), 5)
    plan = Curriculum(
        n_iterations=card.size(40, 8),
        batch_size=n_networks,
        n_steps=N_STEPS,
        check_every=1000,
        limit_time=1.0,
    )
    times = []

    def note(iteration, loss):
        card.wait()
        times.append(time.perf_counter())
        return False

    train(
        network.to(card.device),
        normalization,
        X,
        objective,
        plan,
        torch.Generator().manual_seed(0),
        on_iteration=note,
    )
    # The last iterations have the whole horizon.
    return statistics.median(b - a for a, b in itertools.pairwise(times[-8:]))


def training(card):
    """One batch of training: step by step, and with recorded steps."""
    for kind in NETWORKS:
        found = {}
        for way in WAYS:
            for n_networks in (4, 64):
                with replayed_steps(WAYS[way]):
                    found[way, n_networks] = batch_seconds(card, kind, n_networks)
        for way in WAYS:
            small, large = found[way, 4], found[way, 64]
            yield {
                "what": f"training batch, {kind}, {way}",
                "seconds_of_4": small,
                "seconds_of_64": large,
                "64_by_4": large / small,
                "faster_than_eager": found["eager", 4] / small,
            }


def compiled(card):
    """The same batch in plain PyTorch whose steps are compiled, pairwise couplings."""

    def chunk(phases, K):
        for _ in range(10):
            phasors = torch.stack((phases.cos(), phases.sin()), -2)
            real, imaginary = (phasors @ K.mT).unbind(-2)
            phases = phases + STEP * (phasors[..., 0, :] * imaginary - phasors[..., 1, :] * real)
        return phases

    ways = {"eager": chunk, "compiled": torch.compile(chunk, dynamic=False)}
    for n_networks in (4, 64):
        found = {}
        for way, steps in ways.items():
            torch.manual_seed(0)
            network = PairwiseNetwork(2).to(card.device)
            optimizer = torch.optim.AdamW(network.parameters())
            x, start = card.random(n_networks, N_NODES, 2), card.random(n_networks, N_NODES)

            def iteration(network=network, optimizer=optimizer, x=x, start=start, steps=steps):
                K, phases = couple(network, x, InDegree()).matrix, start
                for _ in range(N_STEPS // 10):
                    phases = steps(phases, K)
                optimizer.zero_grad()
                phases.cos().mean().backward()
                optimizer.step()

            # Gradients are compiled at the first call, too.
            first = card.once(iteration)[0]["seconds"]
            found[way] = {"first": first, "seconds": card.median(iteration)["seconds"]}
        yield {"what": "training batch, plain PyTorch", "n_networks": n_networks, **found}


def fits(card):
    """Fits of a table and of an image, on the card and on the processor beside it."""
    X, y = make_moons(card.size(10_000, 300), noise=0.05, random_state=0)
    shape = (40, 60) if card.rehearsed else PAPER
    image, mask = photograph(shape), scribbles(shape)
    settings = {"random_state": 0} | ({"max_iter": 10} if card.rehearsed else {})
    cases = {
        "Moons, factorised": lambda device: KuraNetClusterer(device=device, **settings).fit(X, y),
        "Moons, pairwise, 200 iterations": lambda device: KuraNetClusterer(
            "pairwise", device=device, **settings | {"max_iter": card.size(200, 10)}
        ).fit(X, y),
        "image, 321 x 481, scribbles": lambda device: KuraNetSegmenter(
            device=device, **settings
        ).fit(image, mask),
    }
    for what, fit in cases.items():
        on_card, model = card.once(lambda fit=fit: fit(card.device.type))
        beside, _ = card.once(lambda fit=fit: fit("cpu"))
        told = image if "image" in what else X
        yield {
            "what": f"fit, {what}",
            **on_card,
            "processor_seconds": beside["seconds"],
            "processor_threads": torch.get_num_threads(),
            "labels": np.bincount(np.ravel(model.predict(told))).tolist(),
        }


def predictions(card):
    """Labels of ten million rows."""
    X, y = make_moons(2000, noise=0.05, random_state=0)
    many, truth = make_moons(card.size(10**7, 10**4), noise=0.05, random_state=1)
    settings = {"max_iter": 10} if card.rehearsed else {}
    model = KuraNetClusterer(device=card.device.type, random_state=0, **settings).fit(X, y)
    model.predict(many[:1000])
    run, labels = card.once(lambda: model.predict(many))
    yield {"what": "predict", "n": len(many), **run, "accuracy": float((labels == truth).mean())}
