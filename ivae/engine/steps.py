"""One training step of an ensemble: objective, gradients, update; on a GPU as a CUDA graph."""

from __future__ import annotations

import torch
from torch import Tensor

from ivae.engine.adam import MemberwiseAdam
from ivae.engine.gradients import gradients
from ivae.models import LatentVariableModel
from ivae.objectives import Objective


class Step:
    """Computes an objective and its gradients on a minibatch, and updates the parameters.

    Parameters
    ----------
    model, objective, adam
        Ensemble of E members, what to maximise, and the optimiser of the model's parameters.
    n_data, batch_size
        Samples in each member's training data, and in a minibatch but the last of an epoch.
    """

    def __init__(
        self,
        model: LatentVariableModel,
        objective: Objective,
        adam: MemberwiseAdam,
        n_data: int,
        batch_size: int,
    ) -> None:
        self.model, self.objective, self.adam = model, objective, adam
        self.n_data, self.batch_size = n_data, batch_size

    def __call__(
        self, x: Tensor, u: Tensor, noise: Tensor, weights: Tensor, rates: Tensor
    ) -> Tensor:
        """Make a step with rates (E,) or (1,); return the terms' sums, (T, E)."""
        sums = self.gradients(x, u, noise, weights)
        self.adam.step(rates)
        return sums

    def gradients(self, x: Tensor, u: Tensor, noise: Tensor, weights: Tensor) -> Tensor:
        """Write the gradients to where ``adam`` takes them; return the terms' sums (T, E)."""
        into = self.adam.gradients
        return gradients(self.model, self.objective, x, u, noise, weights, self.n_data, into)


class GraphedStep(Step):
    """A :class:`Step` on a GPU, recorded once as a CUDA graph and then replayed.

    A step is some hundred small kernels; a graph launches them together. A minibatch of another
    size, the last of an epoch, takes the ordinary way.
    """

    _graph: torch.cuda.CUDAGraph | None = None

    def __call__(
        self, x: Tensor, u: Tensor, noise: Tensor, weights: Tensor, rates: Tensor
    ) -> Tensor:
        """Make a step with rates (E,) or (1,); return the terms' sums, (T, E)."""
        given = (x, u, noise, weights, rates)
        with torch.cuda.device(x.device):
            if x.shape[1] != self.batch_size:
                return Step.__call__(self, *given)
            graph = self._graph or self._record(given)
            for kept, new in zip(self._given, given, strict=True):
                kept.copy_(new)
            graph.replay()
            return self._sums.clone()

    def _record(self, given: tuple[Tensor, ...]) -> torch.cuda.CUDAGraph:
        # Rehearsals, which the recording needs, change weights and moments: these are put back.
        self._given = tuple(tensor.clone() for tensor in given)
        values = self.adam.values.clone()
        moments = [moment.clone() for moment in self.adam.moments()]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                Step.__call__(self, *self._given)
        torch.cuda.current_stream().wait_stream(aside)
        self.adam.values.copy_(values)
        for i, moment in enumerate(self.adam.moments()):
            moment.copy_(moments[i])
        self._graph = torch.cuda.CUDAGraph()
        # Another thread may allocate on the GPU meanwhile, as a Dask worker's threads do.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._sums = Step.__call__(self, *self._given)
        return self._graph
