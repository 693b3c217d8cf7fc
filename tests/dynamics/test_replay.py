"""Steps that are recorded and replayed, by a recorder of what is done in place of a CUDA card."""

import threading
from types import SimpleNamespace

import pytest
import torch
from small_flows import DENSE, FACTORS, N, flow, leaves
from torch.utils._python_dispatch import TorchDispatchMode

from skkuranet.coupling import (
    PairwiseNetwork,
    TiledCoupling,
    couple,
)
from skkuranet.dynamics import _cuda_graphs, integrate, replayed_steps


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

    monkeypatch.setattr(_cuda_graphs, "_refused", set())
    monkeypatch.setattr(_cuda_graphs, "_thread", threading.local())
    monkeypatch.setattr(_cuda_graphs, "_RECORDINGS", 2)
    monkeypatch.setattr(_cuda_graphs, "records_on", lambda phases: True)
    monkeypatch.setattr(_cuda_graphs, "on_side_stream", lambda action, device: action())
    monkeypatch.setattr(_cuda_graphs, "record", record)
    # A few steps at once, so that short trajectories have several recordings and a rest.
    monkeypatch.setattr(_cuda_graphs, "_STEPS", 2)
    return made


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
    monkeypatch.setattr(_cuda_graphs, "record", fail)
    with pytest.warns(RuntimeWarning, match="could not record steps"):
        found = flow(*given, n_steps=9)
    torch.testing.assert_close(found, wanted)


class Card:
    """Streams that do what is launched in order, or record it; there is only one device."""

    def __init__(self):
        self.current, self.log, card = threading.local(), [], self
        self.default = SimpleNamespace(graph=None, wait_stream=lambda other: None)

        class Stream:
            def __init__(self, device):
                self.graph = None

            def wait_stream(self, other):
                card.log.append("side waits")

        class CUDAGraph:
            def capture_begin(self, capture_error_mode):
                assert capture_error_mode == "thread_local"
                assert card.stream_now() is not card.default
                assert card.stream_now().graph is None
                self.launches = []
                card.stream_now().graph = self

            def capture_end(self):
                card.stream_now().graph = None
                if None in self.launches:
                    raise RuntimeError("capture was invalidated")

            def replay(self):
                assert card.stream_now() is card.default
                for launched in self.launches:
                    launched()

        self.Stream, self.CUDAGraph = Stream, CUDAGraph
        self.default.wait_stream = lambda other: self.log.append("current waits")

    def stream_now(self):
        return getattr(self.current, "stream", self.default)

    def current_stream(self, device):
        return self.stream_now()

    def default_stream(self, device):
        return self.default

    def is_current_stream_capturing(self):
        return self.stream_now().graph is not None

    def stream(self, stream):
        card = self

        class Context:
            def __enter__(self):
                self.before, card.current.stream = card.stream_now(), stream

            def __exit__(self, *error):
                card.current.stream = self.before

        return Context()

    def launch(self, action):
        graph = self.stream_now().graph
        if graph is None:
            action()
        else:
            graph.launches.append(action)


@pytest.fixture
def card(monkeypatch):
    made = Card()
    monkeypatch.setattr(_cuda_graphs, "torch", SimpleNamespace(cuda=made))
    monkeypatch.setattr(_cuda_graphs, "_refused", set())
    monkeypatch.setattr(_cuda_graphs, "_thread", threading.local())
    return made


def test_what_is_replayed_is_done_as_often_as_it_is_asked_for(card):
    done = []
    replay = _cuda_graphs.Replay(lambda: card.launch(lambda: done.append(0)), "cuda:0")
    for times in range(1, 6):
        replay()
        assert len(done) == times
    # Apart, but after what came before and before what follows: warm-up and recording.
    assert card.log == ["side waits", "current waits"] * 2


def test_threads_do_not_record_one_another(card):
    done = {"recorded": 0, "other": 0}

    def count(name):
        card.launch(lambda: done.update({name: done[name] + 1}))

    other = _cuda_graphs.Replay(lambda: count("other"), "cuda:0")

    def action():
        count("recorded")
        if card.is_current_stream_capturing():
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()

    replay = _cuda_graphs.Replay(action, "cuda:0")
    replay()
    replay()
    assert done == {"recorded": 2, "other": 1}
    replay()
    assert done == {"recorded": 3, "other": 1}


def test_a_failure_is_told_once_and_for_all(card):
    done = []

    def action():
        card.launch(lambda: done.append(0))
        if card.is_current_stream_capturing():
            card.launch(None)
            raise RuntimeError("the first error")

    for _ in range(2):
        replay = _cuda_graphs.Replay(action, "cuda:0")
        replay()
        if not _cuda_graphs._refused:
            with pytest.warns(RuntimeWarning, match="the first error"):
                replay()
        replay()
    assert len(done) == 5
    phases = SimpleNamespace(is_cuda=True, device="cuda:0")
    assert not _cuda_graphs.records_on(phases)


def test_what_is_recorded(card):
    phases = torch.zeros(N)
    seen = SimpleNamespace(is_cuda=True, device="cuda:1", numel=lambda: N, itemsize=4)
    steps = _cuda_graphs.steps_to_replay
    assert steps(seen, 100, 1) == 10
    assert steps(seen, 39, 1) == 0
    assert not _cuda_graphs.records_on(phases)
    large = SimpleNamespace(is_cuda=True, device="cuda:1", numel=lambda: 10**6, itemsize=4)
    assert steps(large, 100, 1) == 4
    with card.stream(card.Stream("cuda:1")):
        assert steps(seen, 100, 1) == 0
    with replayed_steps(False):
        assert steps(seen, 100, 1) == 0
    assert steps(seen, 100, 1) == 10
