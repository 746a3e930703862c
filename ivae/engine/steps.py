"""One training step of an ensemble: objective, gradients, Adam; on a GPU as a CUDA graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam

from ivae.engine.gradients import gradients
from ivae.models import LatentVariableModel
from ivae.objectives import Objective


class MemberwiseAdam:
    """Adam (Kingma and Ba 2015), torch's fused one, with a learning rate for each member.

    torch knows one learning rate for a tensor, and a tensor here holds all members. Where their
    rates differ, torch's Adam runs at rate 1 on zeros, which gives the direction of the update, and
    values += rate * direction is the update.

    All parameters are moved into one vector: a step then costs a handful of operations instead of
    a handful for each parameter.

    Parameters
    ----------
    parameters
        Tensors with the member axis first. They become views of ``values``.

    Attributes
    ----------
    values
        All parameters, one after the other.
    gradients
        Where the caller writes each parameter's gradient before :meth:`step`.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.parameters = list(parameters)
        self.values = torch.cat([parameter.detach().flatten() for parameter in self.parameters])
        self._gradient, self._direction = (torch.zeros_like(self.values) for _ in range(2))
        self.gradients = self._views(self._gradient)
        self._directions = self._views(self._direction)
        for parameter, view in zip(self.parameters, self._views(self.values), strict=True):
            parameter.data = view
        self._moments = [torch.zeros_like(self.values) for _ in range(2)]
        self._n_steps = torch.zeros((), dtype=torch.float32, device=self.values.device)

    def step(self, rates: Tensor) -> None:
        """Update every parameter by its gradient; ``rates`` is (E,), or (1,) for all members."""
        if len(rates) == 1 and not rates.is_cuda:
            self._step(self.values, rates.item())
            return
        self._step(self._direction, 1.0)
        for parameter, direction in zip(self.parameters, self._directions, strict=True):
            each = rates.view(-1, *[1] * (parameter.dim() - 1))
            parameter.data.addcmul_(direction, each)
        self._direction.zero_()

    def _step(self, values: Tensor, rate: float) -> None:
        first, second = self._moments
        adam(
            [values],
            [self._gradient],
            [first],
            [second],
            [],
            [self._n_steps],
            fused=True,
            capturable=values.is_cuda,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def moments(self) -> list[Tensor]:
        """Return the first and second moments and the number of steps."""
        return [*self._moments, self._n_steps]

    def set_moments(self, moments: Sequence[Tensor]) -> None:
        """Go on from the moments that :meth:`moments` gave; from zero where there are none."""
        for own, new in zip(self.moments(), moments, strict=False):
            own.copy_(new)

    def moments_of(self, members: Sequence[int]) -> list[Tensor]:
        """Return the moments of these members alone."""
        kept = list(members)
        return [
            torch.cat([view[kept].flatten() for view in self._views(moment)])
            if moment.dim()
            else moment.clone()
            for moment in self.moments()
        ]

    def _views(self, vector: Tensor) -> list[Tensor]:
        pieces = vector.split([parameter.numel() for parameter in self.parameters])
        return [
            piece.view(parameter.shape)
            for piece, parameter in zip(pieces, self.parameters, strict=True)
        ]


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
