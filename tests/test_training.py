"""One loop for an ensemble: equal to single runs, to the usual loop, and to itself."""

import numpy as np
import pytest
import torch

from benchmarks.usual_loop import UsualIVAE
from ivae import data, metrics, models, streams
from ivae.models import Network
from ivae.training import Schedule, train

SMALL = Network(hidden=12)
SHORT = Schedule(epochs=3, batch_size=16)
TRUTH = data.generate("paper", 0, 2, 3, 4, 50)
OTHER = data.generate("paper", 1, 2, 3, 4, 50)


def ivae(seeds, **options):
    return models.ivae(2, 3, 4, seeds=seeds, network=SMALL, **options).double()


def fit(model, dataset=TRUTH, schedule=SHORT):
    return train(model, dataset.x, dataset.u, dataset.z, schedule=schedule, progress=False)


def parameters(model, member):
    return [parameter[member] for parameter in model.parameters()]


@pytest.mark.parametrize(
    "make",
    [
        ivae,
        lambda seeds: ivae(seeds, n_components=2),
        lambda seeds: models.vae(2, 3, seeds=seeds, network=SMALL).double(),
        lambda seeds: models.vae(2, 3, seeds=seeds, prior="laplace", network=SMALL).double(),
    ],
    ids=["iVAE k=1", "iVAE k=2", "VAE gaussian", "VAE laplace"],
)
def test_an_ensemble_equals_single_runs(make):
    seeds = [3, 0, 8]
    together = make(seeds)
    history = fit(together)
    for member, seed in enumerate(seeds):
        alone = make([seed])
        single = fit(alone)
        for both, one in zip(parameters(together, member), parameters(alone, 0), strict=True):
            torch.testing.assert_close(both, one, rtol=1e-5, atol=1e-5)
        for name in ("elbo", "reconstruction", "kl", "mcc", "mcc_sampled"):
            np.testing.assert_allclose(
                getattr(history, name)[:, member], getattr(single, name)[:, 0], atol=1e-5
            )


def test_members_may_have_their_own_data():
    together = ivae([0, 1])
    stacked = [np.stack((getattr(TRUTH, n), getattr(OTHER, n))) for n in ("x", "u", "z")]
    history = train(together, *stacked, schedule=SHORT, progress=False)
    for member, dataset in enumerate((TRUTH, OTHER)):
        single = fit(ivae([member]), dataset)
        np.testing.assert_allclose(history.elbo[:, member], single.elbo[:, 0], atol=1e-5)
        np.testing.assert_allclose(history.mcc[:, member], single.mcc[:, 0], atol=1e-5)


def plain_copy(model):
    """The usual single model with the weights of the ensemble's only member."""
    plain = UsualIVAE(2, 3, 4).double()
    encoder, first = model.encoder, model.encoder.first
    inputs = torch.cat((first.weight, first.rows), -2)
    sources = {
        plain.decoder: [(layer.weight[0], layer.bias[0]) for layer in layers(model.decoder)],
        plain.prior_log_variance: [
            (model.prior_net.first.rows[0, 0], model.prior_net.first.bias[0, 0]),
            *((layer.weight[0, 0], layer.bias[0, 0]) for layer in model.prior_net.rest),
        ],
    }
    for head, net in enumerate((plain.mean, plain.log_variance)):
        rest = [(layer.weight[0, head], layer.bias[0, head]) for layer in encoder.rest]
        sources[net] = [(inputs[0, head], first.bias[0, head]), *rest]
    with torch.no_grad():
        for net, weights in sources.items():
            for linear, (weight, bias) in zip(net[::2], weights, strict=True):
                linear.weight.copy_(weight.T)
                linear.bias.copy_(bias[0])
    return plain


def layers(net):
    return [net.first, *net.rest]


def test_training_equals_the_usual_loop():
    """Independent code: concatenated one-hot u, one module, torch's Adam, the same draws."""
    model = models.ivae(2, 3, 4, seeds=[5], network=Network(hidden=100)).double()
    plain = plain_copy(model)
    history = fit(model)
    optimiser = torch.optim.Adam(plain.parameters(), lr=SHORT.learning_rate)
    n, size = len(TRUTH.x), SHORT.batch_size
    n_batches = -(-n // size)
    x = torch.as_tensor(TRUTH.x)
    one_hot = torch.nn.functional.one_hot(torch.as_tensor(TRUTH.u), 4).double()
    values = []
    for epoch in range(SHORT.epochs):
        order = torch.randperm(n, generator=streams.generator(5, "minibatches", epoch))
        noise = torch.randn(n, 2, generator=streams.generator(5, "posterior noise", epoch))
        total = 0.0
        for batch in range(n_batches):
            rows = slice(batch * size, (batch + 1) * size)
            done = (epoch * n_batches + batch) / (SHORT.epochs * n_batches)
            optimiser.param_groups[0]["lr"] = 0.01 * 0.5 * (1 + np.cos(np.pi * done))
            bound = plain.elbo(x[order[rows]], one_hot[order[rows]], noise[rows].double())
            optimiser.zero_grad()
            (-bound.mean()).backward()
            optimiser.step()
            total += float(bound.detach().sum())
        values.append(total / n)
    np.testing.assert_allclose(history.elbo[:, 0], values, rtol=1e-8)
    for ours, theirs in zip(plain_copy(model).parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-8)


def test_the_same_seed_gives_identical_numbers():
    first, second = ivae([4]).float(), ivae([4]).float()
    one, two = fit(first), fit(second)
    for name in ("elbo", "reconstruction", "kl", "mcc", "mcc_sampled"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not np.array_equal(fit(ivae([5]).float()).elbo, one.elbo)


def test_measuring_the_mcc_does_not_touch_training():
    watched, blind = ivae([0]), ivae([0])
    fit(watched)
    history = train(blind, TRUTH.x, TRUTH.u, schedule=SHORT, progress=False)
    assert history.mcc is None
    assert history.mcc_sampled is None
    for a, b in zip(watched.parameters(), blind.parameters(), strict=True):
        assert torch.equal(a, b)


def test_history_reports_the_final_model():
    model = ivae([0, 1])
    history = fit(model)
    assert history.elbo.shape == history.mcc.shape == (3, 2)
    np.testing.assert_array_equal(history.epochs, [1, 2, 3])
    np.testing.assert_allclose(history.elbo, history.reconstruction - history.kl)
    means = model.infer(TRUTH.x, TRUTH.u).mean
    for member in range(2):
        expected = metrics.mcc(TRUTH.z, means[member])
        assert history.mcc[-1, member] == pytest.approx(expected)


def test_training_improves_the_elbo_and_recovers_easy_sources():
    easy = data.generate("linear", 0, 2, 2, 10, 500)
    model = models.ivae(2, 2, 10, seeds=[0, 1])
    history = fit(model, easy, Schedule(epochs=20))
    assert (history.elbo[-1] > history.elbo[0] + 1).all()
    assert (history.mcc[-1] > 0.95).all()


@pytest.mark.parametrize("rows", [16, 17, 10])
def test_batches_cover_every_row_once_whatever_their_size(rows):
    model = ivae([0])
    schedule = Schedule(epochs=1, batch_size=16)
    u = np.arange(rows) % 4
    history = train(model, TRUTH.x[:rows], u, schedule=schedule, progress=False)
    assert np.isfinite(history.elbo).all()


def test_a_vae_takes_any_labels():
    model = models.vae(2, 3, seeds=[0], network=SMALL)
    train(model, TRUTH.x, 10 + 7 * TRUTH.u, schedule=Schedule(epochs=1), progress=False)


def test_divergence_is_reported_with_member_and_cure():
    model = ivae([7, 8])
    with torch.no_grad():
        model.decoder.first.weight[1].fill_(torch.inf)
    with pytest.raises(FloatingPointError, match=r"member 1 \(seed 8\) is no longer finite.*lower"):
        fit(model)


GOOD = (TRUTH.x, TRUTH.u, TRUTH.z)


@pytest.mark.parametrize(
    ("x", "u", "z", "message"),
    [
        (TRUTH.x[:, :2], *GOOD[1:], r"x must have shape \(N, 3\); got \(200, 2\)"),
        (np.where(TRUTH.x > 1, np.nan, TRUTH.x), *GOOD[1:], "x has .* NaN or infinite values"),
        (TRUTH.x[:0], TRUTH.u[:0], None, r"x must have shape \(N, 3\); got \(0, 3\)"),
        (TRUTH.x, TRUTH.u[:-1], None, r"each of the 200 rows of x, shape \(200,\); got .*\(199,\)"),
        (TRUTH.x, TRUTH.u + 0.5, None, "u must hold integer segment labels .* got float64"),
        (TRUTH.x, TRUTH.u + 1, None, "u must hold labels below n_segments = 4; got 4"),
        (TRUTH.x, TRUTH.u - 1, None, "u must hold labels from 0 upwards; got -1"),
        (TRUTH.x, np.maximum(TRUTH.u, 1), None, "u leaves 1 of its 4 segments empty.* segment 0"),
        (TRUTH.x, TRUTH.u, TRUTH.z[:, :1], r"z must have shape \(200, 2\); got \(200, 1\)"),
        (np.stack([TRUTH.x] * 3), TRUTH.u, None, r"x must have shape \(2, N, 3\); got \(3, 200"),
    ],
)
def test_bad_input_is_named(x, u, z, message):
    with pytest.raises(ValueError, match=message):
        train(ivae([0, 1]), x, u, z, progress=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number >= 1; got 0"),
        ({"batch_size": 6.4}, "batch_size must be a whole number >= 1; got 6.4"),
        ({"learning_rate": -0.1}, "learning_rate must be a finite number above 0; got -0.1"),
    ],
)
def test_bad_schedules_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Schedule(**options)
