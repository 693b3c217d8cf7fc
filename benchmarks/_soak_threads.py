"""Threads that fit and ask at once, while others change the settings of torch."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import torch
from _soak_fits import FITS, answers, check_same, data_of, model_of, undisturbed

SETTINGS = {
    "none": contextlib.nullcontext,
    "no gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu"),
}


class Vandal(threading.Thread):
    """Changes the precision and number of threads of torch, which belong to the process."""

    def __init__(self, seed):
        super().__init__(daemon=True)
        self.generator = torch.Generator().manual_seed(seed)
        self.stopped, self.n_changes = threading.Event(), 0

    def run(self):
        before = torch.get_default_dtype(), torch.get_num_threads()
        while not self.stopped.wait(0.02):
            number, kind = torch.randint(1, 3, (2,), generator=self.generator).tolist()
            torch.set_num_threads(number)
            torch.set_default_dtype((torch.float32, torch.float64)[kind - 1])
            self.n_changes += 1
        torch.set_default_dtype(before[0])
        torch.set_num_threads(before[1])


def threads(rng, folder):
    """Results are those of one thread, whatever others do meanwhile."""
    kinds = [str(kind) for kind in rng.choice(list(FITS), 6)]
    for kind in kinds:
        undisturbed(kind)
    settings = [SETTINGS[str(name)] for name in rng.choice(list(SETTINGS), 6)]

    def work(kind, setting):
        with setting():
            return answers(kind, model_of(kind).fit(*data_of(kind)))

    count = torch.get_num_threads()
    vandal = Vandal(int(rng.integers(1 << 31)))
    vandal.start()
    try:
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(work, kinds, settings))
    finally:
        vandal.stopped.set()
        vandal.join()
        # A number that is set within a fit gives way to that before it.
        torch.set_num_threads(count)
    for kind, each in zip(kinds, found, strict=True):
        check_same(kind, each)
    return len(kinds) if vandal.n_changes else 0


ACCIDENTS = {"threads": (threads, 1)}
