"""Memberships learned from labels in closed form."""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor, nn

from skkuranet._utils.distinct import row_hashes
from skkuranet.coupling import MembershipNetwork
from skkuranet.training._adamw import AdamW
from skkuranet.training._calibration import most_likely, refined_losses
from skkuranet.training._row_space import row_space
from skkuranet.training._schedule import ClosedForm

# Different rows for each member from which on some are left out; those it is tried on between
# iterations; and those that scale and offset follow.
_FEW, _TRIED, _CALIBRATED = 2, 512, 50_000
# A loss that is lower by this share of itself, and this much, is progress; one that is enough, and
# one on the rows learned from with which nothing is left to learn.
_SHARE, _MUCH, _PERFECT, _LEARNED = 0.01, 2e-4, 5e-4, 1e-3
# The latter three, at most, as shares of the loss of who knows nothing but how frequent classes
# are: where all but a few rows are of one class, that is small.
_OF_CHANCE = {_MUCH: 0.02, _PERFECT: 0.05, _LEARNED: 0.05}
_COUNTS = (
    "position",
    "n_done",
    "looked",
    "lowest",
    "best_at",
    "since",
    "loss",
    "cooling",
    "end",
)
# Parts of the time between looks at which few rows may have taught all that they have to teach.
_PARTS = 4
_WARM_UP, _LAST_RATE = 10, 0.01
# Share of a weight that decay takes in one step, at most.
_MOST_LOST = 0.2


class Committee:
    """Trains the perceptrons of a :class:`MembershipNetwork` by cross-entropy, in place.

    Each labelled row is left out by one member, which does not learn from it. Rows left out tell
    when the rate has to fall, and how sure of itself the committee may be. Members share each class
    evenly; rows with the same features are left out by the same member. ``labels`` (N,) are classes
    or -1; the generator, on the CPU, is the only source of randomness; ``feature_noise``, on each
    mini-batch, is in standard deviations.
    """

    def __init__(
        self,
        network: MembershipNetwork,
        features: Tensor,
        labels: Tensor,
        weights: Tensor,
        plan: ClosedForm,
        weight_decay: float,
        generator: torch.Generator,
        feature_noise: float = 0.0,
    ) -> None:
        self.network, self.plan, self.generator = network, plan, generator
        known = (labels >= 0).nonzero().flatten()
        with torch.no_grad():
            self.seen = network.seen(features[known])
        self.features, self.noise = features[known], torch.zeros_like(features[0])
        if feature_noise:
            self.noise = feature_noise * features.std(0, correction=0)
        self.labels = labels[known]
        self.weights = weights[known].to(self.seen.dtype)
        self.weights = self.weights / self.weights.mean()
        self.turn, order = self._deal()
        sizes = torch.bincount(self.turn + 1, minlength=network.n_members + 1)[1:]
        self.pool_size = len(self.labels) - int(sizes.max())
        self.batch = min(plan.n_rows, self.pool_size)
        self.tried, self.tried_share = self._tried(order)
        self.basis: Tensor | None = None
        self.parameters = network.perceptrons
        if self.seen.shape[-1] > len(self.seen) and not bool(self.noise.any()):
            self._enter_row_space()
        # A step must not take more from a weight than there is.
        weight_decay = min(weight_decay, _MOST_LOST / plan.learning_rate)
        self.optimizer = AdamW(
            self.parameters, [weight_decay] * len(network.weights) + [0.0] * len(network.biases)
        )
        self.order: Tensor | None = None
        self.position = 0
        self.n_done, self.lowest, self.since = 0, math.inf, 0
        self.best_at = 0
        #: Losses of the rows left out where their mean was lowest.
        self.least: Tensor | None = None
        #: Sum of the losses since the last look, and the iteration of that.
        self.loss, self.looked = 0.0, 0
        #: Iteration from which the rate falls, and the one after the last.
        self.cooling, self.end = plan.n_iterations, plan.n_iterations
        if plan.patience is None or not self.tried.numel():
            self.cooling = math.ceil(plan.n_iterations / (1.0 + plan.cooling))
        self.scores: list[float] = []
        #: Weights that do best on rows left out.
        self.best = self.optimizer.values.clone()

    @property
    def done(self) -> bool:
        """Whether all iterations are done."""
        return self.n_done >= self.end

    def step(self) -> float:
        """Do one iteration; return its loss."""
        rows = self._draw()
        logits = self._logits(self._noisy(rows))
        each = nn.functional.cross_entropy(
            logits.flatten(0, 1), self.labels[rows].flatten(), reduction="none"
        )
        # Members have no weights in common: the sum has the gradients of each.
        loss = (each * self.weights[rows].flatten()).mean()
        gradients = torch.autograd.grad(loss * self.network.n_members, self.parameters)
        self.optimizer.step(gradients, self._rate())
        self.n_done += 1
        self.loss += float(loss.detach())
        if self._is_time():
            since = self.n_done - self.looked
            # Batches that have not gone through all rows may have held none of a rare class.
            all_seen = since * self.batch >= self.pool_size
            self._try(self.loss / since if all_seen else math.inf)
            self.loss, self.looked = 0.0, self.n_done
        if self.done and self.plan.patience is not None:
            # What has been learned since does not carry over to other rows.
            self.optimizer.move_to(self.best)
        return float(loss.detach())

    @torch.no_grad()
    def calibrate(self) -> None:
        """Set how sure the committee is, as it is now; learning does not change.

        The scale a and the offset b_c = s log(share of class c) of the logits are of maximum
        likelihood on the rows left out, and on one more row of any class (Laplace's rule of
        succession).
        """
        classes = nn.functional.one_hot(self.labels, self.network.n_classes)
        shares = classes * self.weights.unsqueeze(-1)
        if self.basis is not None:
            self.network.weights[0].copy_(self.basis @ self.parameters[0])
        self.network.cut(self.network.seen(self.features), shares.to(self.seen.dtype))
        if bool((self.turn < 0).all()):
            return
        prior = self._log_shares
        n_rows = min(len(self.labels), _CALIBRATED)
        # Evenly over the table.
        some = torch.arange(n_rows, device=prior.device) * len(self.labels) // n_rows
        scale, share = most_likely(
            self._left_out(some), prior, self.labels[some], self.weights[some]
        )
        self.network.scale.fill_(scale)
        self.network.offset.copy_(share * prior)

    @torch.no_grad()
    def finish(self) -> Tensor:
        """Calibrate; return the class that each labelled row is given.

        The member that has left a row out names it, unless rows are too few to leave any out.
        """
        self.calibrate()
        if bool((self.turn < 0).all()):
            return self._logits(self.seen).mean(0).argmax(-1)
        out = self._left_out(torch.arange(len(self.labels), device=self.labels.device))
        return (self.network.scale * out + self.network.offset).argmax(-1)

    def recalls(self, found: Tensor) -> list[float]:
        """Return the share of each class that is named right; ``found`` names all rows."""
        right, total = (
            torch.zeros(self.network.n_classes, device=found.device, dtype=self.weights.dtype)
            for _ in range(2)
        )
        right.index_add_(0, self.labels, self.weights * (found == self.labels))
        total.index_add_(0, self.labels, self.weights)
        return (right / total.clamp_min(1e-12)).tolist()

    def state_dict(self) -> dict[str, Any]:
        """Return all that further steps depend on, except weights and randomness."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "first": None if self.basis is None else self.parameters[0],
            "order": self.order,
            "best": self.best,
            "least": self.least,
            "counts": [getattr(self, name) for name in _COUNTS],
            "scores": self.scores,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state; the weights of the network have been restored before."""
        if self.basis is not None:
            with torch.no_grad():
                self.parameters[0].copy_(state["first"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.order, self.scores = state["order"], state["scores"]
        self.best, self.least = state["best"], state["least"]
        for name, value in zip(_COUNTS, state["counts"], strict=True):
            setattr(self, name, value)

    @torch.no_grad()
    def _enter_row_space(self) -> None:
        """Learn in as few dimensions as there are rows."""
        self.basis = row_space(self.seen)
        self.seen = self.seen @ self.basis
        first, *rest = self.parameters
        self.parameters = [nn.Parameter(self.basis.mT @ first), *rest]

    @functools.cached_property
    def _log_shares(self) -> Tensor:
        """Logarithm of the share of each class."""
        counts = torch.zeros(self.network.n_classes, dtype=torch.float64, device=self.labels.device)
        counts.index_add_(0, self.labels, self.weights.double())
        return (counts / counts.sum()).log()

    def _logits(self, seen: Tensor) -> Tensor:
        return self.network.logits(seen, None if self.basis is None else self.parameters[0])

    def _deal(self) -> tuple[Tensor, Tensor]:
        """Draw which member leaves out each row; return this and rows in random order by class.

        No member, -1, leaves any out where rows are so few that each is needed.
        """
        mixed = torch.randperm(len(self.labels), generator=self.generator)
        order = mixed[self.labels.cpu()[mixed].argsort(stable=True)]
        # The same features under another label would give the member the wrong answer.
        _, alike = torch.from_numpy(row_hashes(self.seen)).unique(return_inverse=True)
        alike, position = alike[order], torch.arange(len(order))
        first = torch.full_like(position, len(order))
        first = first.scatter_reduce(0, alike, position, "amin")[alike]
        number = (first == position).cumsum(0) - 1
        turn = torch.full_like(position, -1)
        if number[-1] + 1 >= _FEW * self.network.n_members:
            turn[order] = number[first] % self.network.n_members
        return turn.to(self.labels.device), order.to(self.labels.device)

    def _tried(self, order: Tensor) -> tuple[Tensor, Tensor]:
        """Choose rows left out by each member, and their shares of all; (n_members, n_rows).

        Each class has the same number at most, so that rare ones are among them.
        """
        n_members, n_classes = self.network.n_members, self.network.n_classes
        order = order[self.turn[order] >= 0]
        count = torch.bincount(self.labels[order], minlength=n_classes)
        rank = torch.arange(len(order)).to(count) - (count.cumsum(0) - count)[self.labels[order]]
        chosen = order[rank < n_members * max(1, _TRIED // n_classes)]
        whole, part = torch.zeros(2, n_classes).to(self.weights).unbind()
        whole.index_add_(0, self.labels[order], self.weights[order])
        part.index_add_(0, self.labels[chosen], self.weights[chosen])
        share = self.weights[chosen] * (whole / part / whole.sum())[self.labels[chosen]]
        by_member = [self.turn[chosen] == member for member in range(n_members)]
        pad = functools.partial(nn.utils.rnn.pad_sequence, batch_first=True)
        return pad([chosen[own] for own in by_member]), pad([share[own] for own in by_member])

    def _draw(self) -> Tensor:
        """Draw the rows of the next mini-batch of each member, (n_members, batch)."""
        if self.order is None or self.position + self.batch > self.pool_size:
            if self.order is None or self.batch < self.pool_size:
                keys = torch.rand(
                    (self.network.n_members, len(self.labels)),
                    generator=self.generator,
                    dtype=torch.float32,
                ).to(self.turn.device)
                member = torch.arange(self.network.n_members, device=self.turn.device)
                keys += self.turn == member.unsqueeze(-1)
                self.order = keys.argsort(-1)[:, : self.pool_size]
            self.position = 0
        rows = self.order[:, self.position : self.position + self.batch]
        self.position += self.batch
        return rows

    @torch.no_grad()
    def _noisy(self, rows: Tensor) -> Tensor:
        """Return what members see of rows, with noise on the features where it is wanted."""
        if not bool(self.noise.any()):
            return self.seen[rows]
        features = self.features[rows]
        drawn = torch.randn(features.shape, generator=self.generator, dtype=features.dtype)
        return self.network.seen(features + self.noise * drawn.to(features.device))

    def _rate(self) -> float:
        """Return the learning rate: a warm-up, the peak, and a cosine while cooling."""
        rate = self.plan.learning_rate * min(1.0, (self.n_done + 1) / _WARM_UP)
        if self.n_done < self.cooling:
            return rate
        part = (self.n_done - self.cooling) / max(1, self.end - self.cooling)
        cosine = 0.5 * (1.0 + math.cos(math.pi * part))
        # No further again than half of the way to the best.
        rate *= min(1.0, self.best_at / (self.end - self.cooling)) if self.best_at else 1.0
        return rate * (_LAST_RATE + (1.0 - _LAST_RATE) * cosine)

    def _is_time(self) -> bool:
        """Whether to look at the rows left out: often at first, and while the rate falls."""
        since, every = self.n_done, self.plan.check_every
        if since < every:
            every //= _PARTS
        elif since > self.cooling:
            since, every = since - self.cooling, (self.end - self.cooling) // _PARTS
        return since % max(1, every) == 0 or self.done

    @torch.no_grad()
    def _try(self, learned_from: float) -> None:
        """Keep the weights if they are the best, and cool if the loss no longer falls.

        It is that on rows left out, of probabilities that are as sure of themselves as they may be:
        overfitting makes them too sure long before it makes them worse. Weights that are worse than
        earlier ones by no more than chance, one standard error, count as better: they have seen
        more. ``learned_from`` is the loss on the others, infinite where it is not known.
        """
        if not self.tried.numel():
            self.best = self.optimizer.values.clone()
            return
        logits = self._logits(self.seen[self.tried]).flatten(0, 1)
        labels, share = self.labels[self.tried].flatten(), self.tried_share.flatten()
        counts = share * len(share)
        losses = refined_losses(logits, self._log_shares, labels, counts)
        loss = float(losses @ share)
        self.scores.append(float((logits.argmax(-1) == labels).to(share) @ share))
        if self.least is None or loss < float(self.least @ share):
            self.least = losses
        worse = losses - self.least
        by_chance = ((worse - worse @ share).square() @ share.square()).sqrt()
        if float(worse @ share) <= float(by_chance):
            self.best = self.optimizer.values.clone()
            if self.n_done <= self.cooling:
                self.best_at = self.n_done
        if loss < min((1.0 - _SHARE) * self.lowest, self.lowest - self._small(_MUCH)):
            self.lowest, self.since = loss, 0
        elif self.n_done % self.plan.check_every == 0:
            self.since += 1
        patience = self.plan.patience
        if patience is None or self.n_done > self.cooling:
            return
        cooling = math.ceil(self.plan.cooling * self.n_done)
        late = self.n_done + cooling >= self.end
        enough = loss <= self._small(_PERFECT) or learned_from <= self._small(_LEARNED)
        if late or self.since >= patience or enough:
            self.cooling = self.n_done
            self.optimizer.move_to(self.best)
            self.end = min(self.end, self.n_done + max(self.plan.least_cooling, cooling))

    def _small(self, loss: float) -> float:
        """Return a loss that is small, beside that of who knows only how frequent classes are."""
        by_chance = -float(self._log_shares.exp() @ self._log_shares)
        return min(loss, _OF_CHANCE[loss] * by_chance)

    def _left_out(self, rows: Tensor) -> Tensor:
        """Return the logits of rows by the member that left them out, in double precision."""
        found = []
        for part in rows.split(1 << 15):
            logits = self._logits(self.seen[part]).double()
            found.append(logits[self.turn[part], torch.arange(len(part), device=part.device)])
        return torch.cat(found)
