"""Steps that are recorded and replayed, by a recorder of what is done in place of a CUDA card."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from skkuranet.coupling import (
    DenseCoupling,
    FactorizedCoupling,
    PairwiseNetwork,
    TiledCoupling,
    couple,
)
from skkuranet.dynamics import _replay, integrate

N, RANK = 5, 3
DENSE = [(N, N)]
FACTORS = [(N, RANK), (N, RANK), (N,)]


class Recorder(TorchDispatchMode):
    """Notes operations; as on a card, memory is afterwards as if they had not been done."""

    def __init__(self):
        super().__init__()
        self.calls, self.before = [], {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        written = [kwargs["out"]] if "out" in kwargs else []
        if function._schema.is_mutable and not written:
            written = [args[0]]
        for tensor in written:
            storage = tensor.untyped_storage()
            self.before.setdefault(storage.data_ptr(), (storage, storage.clone()))
        self.calls.append((function, args, kwargs))
        return function(*args, **kwargs)

    def undo(self):
        for storage, content in self.before.values():
            storage.copy_(content)

    def replay(self):
        for function, args, kwargs in self.calls:
            function(*args, **kwargs)


@pytest.fixture
def recordings(monkeypatch):
    made = []

    def record(action, device):
        recorder = Recorder()
        with recorder:
            action()
        recorder.undo()
        made.append(recorder)
        return recorder.replay

    monkeypatch.setattr(_replay, "records_on", lambda phases: True)
    monkeypatch.setattr(_replay, "on_side_stream", lambda action, device: action())
    monkeypatch.setattr(_replay, "record", record)
    # A few steps at once, so that short trajectories have several recordings and a rest.
    monkeypatch.setattr(_replay, "_STEPS", 2)
    return made


def leaves(batch, shapes):
    generator = torch.Generator().manual_seed(0)
    every = [(N,)] * 3 + shapes
    return [
        torch.randn((*batch, *shape), generator=generator, dtype=torch.float64).requires_grad_()
        for shape in every
    ]


def flow(phases, frequency, field, *tensors, **options):
    coupling = (DenseCoupling if len(tensors) == 1 else FactorizedCoupling)(*tensors)
    motion = {"frequency": frequency, "field": field, "step_size": 0.1}
    return integrate(coupling, phases, **motion, **options).phases


CASES = [
    {"n_steps": 9},
    {"n_steps": 8, "save_from": 8},
    {"n_steps": 9, "save_from": 6},
    {"n_steps": 7, "save_from": 3, "solver": "rk4"},
]


@pytest.mark.parametrize("batch", [(), (2,)])
@pytest.mark.parametrize("shapes", [DENSE, FACTORS], ids=["dense", "factorised"])
@pytest.mark.parametrize("options", CASES)
def test_replayed_trajectories_and_gradients_are_the_same(batch, shapes, options, request):
    given = leaves(batch, shapes)

    def results():
        path = flow(*given, **options)
        weights = torch.linspace(0.5, 1.5, path.numel(), dtype=path.dtype).view(path.shape)
        with torch.no_grad():
            alone = flow(*given, **options)
        return path.detach(), alone, *torch.autograd.grad((path.sin() * weights).sum(), given)

    wanted = results()
    recordings = request.getfixturevalue("recordings")
    found = results()
    # Forward with a tape and without, and back.
    assert len(recordings) == 3
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-13)


def test_short_trajectories_and_couplings_made_anew_are_not_recorded(recordings):
    given = leaves((), DENSE)
    flow(*given, n_steps=3).sum().backward()
    network = PairwiseNetwork(2, (4,)).double()
    tiled = couple(network, torch.ones(N, 2).double(), memory_budget=2 * 8 * N * N - 1)
    assert isinstance(tiled, TiledCoupling)
    integrate(tiled, torch.zeros(N).double(), n_steps=20)
    assert not recordings


def test_a_card_that_cannot_record_goes_on(recordings, monkeypatch):
    def fail(action, device):
        raise RuntimeError("operation not permitted when stream is capturing")

    given = leaves((), DENSE)
    wanted = flow(*given, n_steps=9)
    monkeypatch.setattr(_replay, "record", fail)
    with pytest.warns(RuntimeWarning, match="could not be recorded"):
        found = flow(*given, n_steps=9)
    torch.testing.assert_close(found, wanted)
