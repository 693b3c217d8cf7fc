"""
Couplings of your own
=====================

The dynamics take any linear operator: here a ring of neighbours, by two lines of PyTorch.
"""

import math

import matplotlib.pyplot as plt
import torch

from skkuranet.coupling import CouplingOperator
from skkuranet.dynamics import integrate


# %%
# An operator says its shape, what it is made of, and its product with vectors, which are rows. The
# product with the transpose and the derivatives are autograd's, so that it can also be trained.
class Ring(CouplingOperator):
    def __init__(self, n, strength):
        self.n, self.strength = n, strength

    @property
    def shape(self):
        return torch.Size((self.n, self.n))

    @property
    def tensors(self):
        return (self.strength,)

    def matvec(self, x):
        return self.strength * (x.roll(1, -1) + x.roll(-1, -1))


# %%
# Neighbours attract. Most initial phases end in synchrony, but a twist around the ring persists.
n = 100
ring = Ring(n, torch.tensor(1.0))
twisted = 2 * math.pi * torch.arange(n) / n + 0.5 * torch.randn(
    n, generator=torch.Generator().manual_seed(0)
)
path = integrate(ring, twisted, step_size=0.1, n_steps=400)
image = plt.imshow(path.phases.remainder(2 * math.pi), aspect="auto", cmap="twilight")
plt.colorbar(image, label="phase")
plt.gca().set(xlabel="oscillator", ylabel="step")
plt.show()

# %%
# The gradient of what the phases do, by the exact adjoint of the flow: how does R after one unit of
# time depend on the strength?
strength = torch.tensor(0.2, requires_grad=True)
start = torch.linspace(0.0, 3.0, n)
path = integrate(Ring(n, strength), start, step_size=0.1, n_steps=10)
path.order_parameter()[-1].backward()
print(f"dR/dK = {strength.grad:.5f}")
