"""Time of one training step for one member, against the number of members and the usual loop.

    python benchmarks/training_step.py

The released dataset (n = d = 5, M = 40, N = 40,000), hidden 100, minibatches of 64. Times are
noisy; the ratios come from one run and are what to look at.
"""

from __future__ import annotations

import time

import torch
import usual_loop

from ivae import data, models
from ivae.training import Schedule, train

MEMBERS = (1, 4, 8, 16, 32)


def main() -> None:
    """Print the table."""
    released = data.generate("released", 1)
    n_steps = len(released.x) // 64
    x, u = torch.as_tensor(released.x), torch.as_tensor(released.u)
    started = time.perf_counter()
    usual_loop.train(x, u, 5, 40, n_steps)
    usual = (time.perf_counter() - started) / n_steps * 1e3
    print(f"{torch.get_num_threads()} threads, {n_steps} steps each")
    print(f"{'members':>12} {'ms per member and step':>24} {'faster than usual':>18}")
    print(f"{'usual loop':>12} {usual:24.3f} {1.0:17.1f}x")
    for members in MEMBERS:
        ensemble = models.ivae(5, 5, 40, seeds=range(members))
        history = train(ensemble, x, u, schedule=Schedule(epochs=1), progress=False)
        each = history.seconds / n_steps / members * 1e3
        print(f"{members:12d} {each:24.3f} {usual / each:17.1f}x", flush=True)


if __name__ == "__main__":
    main()
