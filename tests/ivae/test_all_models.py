"""What holds of every model under every objective: gradients, order, ensembles, files."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch

from ivae import models
from ivae.engine.batches import Minibatches
from ivae.engine.descent import minimise
from ivae.engine.gradients import gradients
from ivae.families import family_named
from ivae.nets import MLPEncoder, Network
from ivae.objectives import (
    Bound,
    Decomposition,
    ImportanceWeighted,
    noise_shape,
    released_objective,
)
from ivae.recipe.model import compose
from ivae.schedules import Schedule, Weights
from ivae.training import train

SEEDS = (3, 8, 5)
ORDER = [2, 0, 1]
N_DATA = 60
NET = {"network": Network(hidden=8)}
SHORT = Schedule(epochs=2, batch_size=16)


def recipes(seeds):
    share = torch.full((4,), 1 / 4).log()
    return compose(seeds, 3, 2, share, family_named("gaussian-scale"), 8, 2, "silu")[0]


MODELS = {
    "iVAE k=1": lambda seeds: models.ivae(2, 3, 4, seeds=seeds, **NET),
    "iVAE k=2": lambda seeds: models.ivae(2, 3, 4, seeds=seeds, n_components=2, **NET),
    "iVAE location": lambda seeds: models.ivae(
        2, 3, 4, seeds=seeds, family="gaussian-location", **NET
    ),
    "iVAE Laplace": lambda seeds: models.ivae(2, 3, 4, seeds=seeds, family="laplace", **NET),
    "VAE": lambda seeds: models.vae(2, 3, seeds=seeds, **NET),
    "VAE Laplace": lambda seeds: models.vae(2, 3, seeds=seeds, prior="laplace", **NET),
    "iVAE on bits": lambda seeds: models.ivae(2, 3, 4, seeds=seeds, likelihood="bernoulli", **NET),
    "the recipe's": recipes,
}
OBJECTIVES = {
    "Eq. (8)": Bound(),
    "beta-VAE": Bound(4.0),
    "released": released_objective(),
    "stratified": Decomposition(1.0, 2.0, 3.0, 4.0, "stratified"),
    "importance-weighted": ImportanceWeighted(3),
}
each_model = pytest.mark.parametrize("name", MODELS)
each_objective = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=list(OBJECTIVES))


def build(name, seeds=SEEDS):
    return MODELS[name](seeds).double()


def dataset(name, size=N_DATA):
    """x (N, d) and u (N,) that the model takes."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((size, 3))
    return (x > 0).astype(float) if "bits" in name else x, np.arange(size) % 4


def batch(model, name, objective, size=9):
    """A minibatch, other rows and noise for each member: (E, B, ...)."""
    generator = torch.Generator().manual_seed(0)
    x, u = model.check_data(*dataset(name))
    rows = torch.stack([torch.randperm(N_DATA, generator=generator)[:size] for _ in model.seeds])
    member = torch.arange(model.n_members).unsqueeze(1)
    shape = (model.n_members, size, *noise_shape(objective, 2))
    return x[member, rows], u[member, rows], torch.randn(shape, generator=generator).to(x)


def weights_of(objective, n_members):
    return torch.as_tensor(Weights(objective.weights, n_members).at(0.0))


def terms(model, objective, given):
    """Everything that the objective computes, (T, E, B)."""
    *found, parts = objective.terms(model(*given), weights_of(objective, model.n_members), N_DATA)
    return torch.stack((*found, *parts))


def gradients_of(model, value):
    return torch.autograd.grad(-value.mean(1).sum(), list(model.parameters()))


def equal(one, other):
    """The same to rounding; entries that are NaN in both, of parts not needed, too."""
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, equal_nan=True)


@each_model
@each_objective
def test_a_gradient_reaches_every_parameter_and_the_short_way_finds_the_same(name, objective):
    model = build(name)
    given = batch(model, name, objective)
    found = terms(model, objective, given)
    autograds = gradients_of(model, found[0])
    for (parameter, _), gradient in zip(model.named_parameters(), autograds, strict=True):
        assert gradient.isfinite().all(), parameter
        assert (gradient.flatten(1) != 0).any(1).all(), parameter  # Of every member.
    if not isinstance(model.encoder, MLPEncoder):
        return
    into = [torch.full_like(parameter, torch.nan) for parameter in model.parameters()]
    weights = weights_of(objective, 3)
    sums = gradients(model, objective, *given, weights, N_DATA, into)
    equal(sums, found.detach().sum(-1))
    equal(into, autograds)


@each_model
@each_objective
def test_the_order_of_members_is_theirs_and_no_one_elses(name, objective):
    model, other = build(name), build(name, [SEEDS[e] for e in ORDER])
    for a, b in zip(model.of(ORDER).parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)  # A member's weights come from its own seed.
    given = batch(model, name, objective)
    one = terms(model, objective, given)
    permuted = terms(other, objective, [part[ORDER] for part in given])
    equal(one[:, ORDER], permuted)
    pairs = zip(gradients_of(model, one[0]), gradients_of(other, permuted[0]), strict=True)
    equal(*zip(*((a[ORDER], b) for a, b in pairs), strict=True))


def trained(name, objective, seeds):
    """A model after two passes over data, and its objective at each of them where that is known."""
    model, (x, u) = build(name, seeds), dataset(name)
    if isinstance(model.encoder, MLPEncoder):
        history = train(model, x, u, schedule=SHORT, objective=objective, progress=False)
        return model, history.objective
    shape = noise_shape(objective, model.n_latents)
    batches = Minibatches(*model.check_data(x, u), seeds, SHORT.batch_size, 0.0, shape)

    def loss(*given):
        return -terms(model, objective, given)[0].mean(1).sum()

    minimise(loss, model.parameters(), batches, 2 * batches.steps_per_epoch)
    return model, np.zeros((2, len(seeds)))


@each_model
@each_objective
def test_an_ensemble_is_its_members_trained_alone(name, objective):
    together, values = trained(name, objective, SEEDS)
    start = build(name)
    for member, seed in enumerate(SEEDS):
        alone, own = trained(name, objective, (seed,))
        np.testing.assert_allclose(values[:, member], own[:, 0], rtol=1e-6)
        for both, single in zip(together.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(both[member], single[0], rtol=1e-6, atol=1e-6)
    for before, after in zip(start.parameters(), together.parameters(), strict=True):
        assert not torch.equal(before, after)


def said(model, name):
    """All that a model can say: posterior, decoding, prior."""
    x, u = dataset(name)
    with torch.no_grad():
        posterior = model.infer(x, u)
        return (*posterior, model.decode(posterior.mean), model.prior_table())


@each_model
def test_what_is_saved_says_the_same_to_the_bit(name, tmp_path):
    model = build(name)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    loaded = build(name, (7, 6, 9))
    loaded.load_state_dict(torch.load(buffer, weights_only=True))
    for other in (loaded, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        for a, b in zip(said(model, name), said(other, name), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "the recipe's"])
def test_a_checkpoint_says_the_same_to_the_bit(name, tmp_path):
    found = []
    for _ in range(2):  # The second takes what the first has left.
        model, (x, u) = build(name), dataset(name)
        train(model, x, u, schedule=SHORT, checkpoint=tmp_path / "kept", progress=False)
        found.append(said(model, name))
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)
