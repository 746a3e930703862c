"""How fast training is, against the usual loop and against this machine's matrix products.

    python benchmarks/speed.py [--out _build/bench.json]

Everything is measured in one run on one machine, the usual loop again and again between the rest:
times are noisy, and the ratios are what to look at. The data are the released dataset (n = d = 5,
M = 40, N = 40,000), minibatches of 64, xtanh.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import usual_loop

from ivae import data, metrics, models
from ivae.models import LatentVariableModel
from ivae.nets import Network
from ivae.objectives import Bound, Objective, beta_tc_vae, released_objective
from ivae.schedules import Schedule
from ivae.support.records import Record, provenance, save
from ivae.training import train

N, D, M, BATCH = 5, 5, 40, 64
RELEASED = data.generate("released", 1)
X, U = torch.as_tensor(RELEASED.x), torch.as_tensor(RELEASED.u)
MEMBERS = (1, 4, 8, 16, 32)
HIDDEN = (50, 100, 200)
MANY = 64
"""Members of the training whose throughput is compared: as many as keep every core busy."""
OBJECTIVES: dict[str, tuple[bool, Objective]] = {
    "iVAE": (True, Bound()),
    "VAE": (False, Bound()),
    "beta-VAE": (False, Bound(beta=4.0)),
    "beta-TC-VAE": (False, beta_tc_vae(15.0)),
}


def build(conditional: bool, n_members: int, hidden: int = 100) -> LatentVariableModel:
    """Return untrained members."""
    network = Network(hidden=hidden)
    if conditional:
        return models.ivae(N, D, M, seeds=range(n_members), network=network)
    return models.vae(N, D, seeds=range(n_members), network=network)


def ours(
    name: str,
    n_members: int,
    n_steps: int,
    *,
    hidden: int = 100,
    objective: Objective | None = None,
    processes: int = 1,
) -> float:
    """Return milliseconds for one step of one member, trained among n_members."""
    conditional, default = OBJECTIVES[name]
    history = train(
        build(conditional, n_members, hidden),
        RELEASED.x,
        RELEASED.u,
        schedule=Schedule(steps=n_steps, evaluate_every=n_steps, batch_size=BATCH),
        objective=objective or default,
        processes=processes,
        progress=False,
    )
    return history.seconds / n_steps / n_members * 1e3


def usual(name: str, n_steps: int = 200, hidden: int = 100, released: bool = False) -> float:
    """Return milliseconds for one step of the usual loop."""
    conditional, _ = OBJECTIVES[name]
    model = usual_loop.UsualModel(N, D, M * conditional, 0.01, hidden)
    n_data = len(X)
    objectives: dict[str, Callable[..., torch.Tensor]] = {
        "beta-VAE": partial(model.elbo, beta=4.0),
        "beta-TC-VAE": partial(model.decomposition, weights=(1, 1, 15, 1), n_data=n_data),
    }
    objective = objectives.get(name, model.elbo)
    if released:
        objective = partial(model.decomposition, weights=(100, 1, 0, 10), n_data=n_data)
    started = time.perf_counter()
    usual_loop.train(model, X, U, n_steps, objective)
    return (time.perf_counter() - started) / n_steps * 1e3


def minibatch_mcc() -> float:
    """Return milliseconds for the MCC of one minibatch, which the released loop takes each step."""
    z, estimate = RELEASED.z[:BATCH], torch.randn(BATCH, N).numpy()
    started = time.perf_counter()
    for _ in range(200):
        metrics.mcc(z, estimate)
    return (time.perf_counter() - started) / 200 * 1e3


def peak_gflops() -> float:
    """Return the best rate of a float32 matrix product on all cores, in 1e9 operations a second."""
    best = 0.0
    for size in (512, 1024, 2048):
        a, b = torch.randn(2, size, size)
        for _ in range(10):
            started = time.perf_counter()
            a @ b
            best = max(best, 2 * size**3 / (time.perf_counter() - started) / 1e9)
    return best


def products_per_step(hidden: int = 100) -> int:
    """Return the operations of all matrix products in one step of one iVAE, back and forth.

    A product of (r, i) and (i, o) takes 2 r i o operations, its two gradients as many each. Nobody
    needs the gradient of x, and the one-hot parts are look-ups.
    """
    inner = 2 * hidden * hidden
    decoder = BATCH * 3 * (2 * N * hidden + inner + 2 * hidden * D)
    encoders = 2 * BATCH * (2 * 2 * D * hidden + 3 * (inner + 2 * hidden * N))
    prior = M * 3 * (inner + 2 * hidden * N)
    return decoder + encoders + prior


def throughput(rounds: int) -> dict[str, float]:
    """Compare whole-machine throughput with the usual loop, round by round; return medians."""
    cores = torch.get_num_threads()
    ours("iVAE", MANY, 20, processes=cores)  # The worker processes start here.
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        measured = {
            "usual loop": usual("iVAE"),
            "one member": ours("iVAE", 1, 1500),
            "many members": ours("iVAE", MANY, 600, processes=cores),
            "usual loop, released objective": usual("iVAE", released=True),
            "minibatch MCC": minibatch_mcc(),
            "many members, released objective": ours(
                "iVAE", MANY, 400, objective=released_objective(), processes=cores
            ),
            "peak": peak_gflops(),
        }
        for name, value in measured.items():
            found.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def table() -> list[dict[str, Any]]:
    """Return the rows of the table of models, widths and numbers of members."""
    usual("iVAE")  # What happens only once, before the clock starts.
    rows = []
    print(
        f"{'model':<12} {'hidden':>6} {'usual':>8}" + "".join(f"{f'E = {e}':>9}" for e in MEMBERS)
    )
    for name in OBJECTIVES:
        for hidden in HIDDEN:
            before = usual(name, hidden=hidden)
            times = {e: ours(name, e, max(40, 600 // e), hidden=hidden) for e in MEMBERS}
            loop = (before + usual(name, hidden=hidden)) / 2
            rows.append({"model": name, "hidden": hidden, "usual": loop, "ensemble": times})
            cells = "".join(f"{times[e]:9.3f}" for e in MEMBERS)
            print(f"{name:<12} {hidden:6d} {loop:8.3f}{cells}", flush=True)
    return rows


def against_size() -> list[dict[str, float]]:
    """Return time and memory of an epoch against N, each in a process of its own."""
    rows = []
    for n_rows in (10_000, 100_000, 1_000_000):
        command = [sys.executable, __file__, "--size", str(n_rows)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        row = json.loads(done.stdout)
        rows.append(row)
        print(
            f"N = {n_rows:>9,}: {row['seconds']:8.2f} s an epoch, "
            f"{row['seconds'] / n_rows * 1e6:6.2f} us a sample, {row['peak_memory_gb']:.2f} GB",
            flush=True,
        )
    return rows


def one_size(n_rows: int, n_members: int = 4) -> dict[str, float]:
    """Train one epoch on so many samples, sources known; return seconds and peak memory."""
    large = data.generate("paper", 1, N, D, M, n_rows // M)
    model = build(True, n_members)
    schedule = Schedule(epochs=1, batch_size=BATCH)
    ours("iVAE", n_members, 20)  # What happens only once, before the clock starts.
    started = time.perf_counter()
    train(model, large.x, large.u, large.z, schedule=schedule, processes=1, progress=False)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"n": n_rows, "members": n_members, "seconds": seconds, "peak_memory_gb": peak}


def on_gpu() -> list[dict[str, float]]:
    """Return members x steps a second on a GPU; empty without one."""
    if not torch.cuda.is_available():
        print("no GPU that torch can use is present: not measured")
        return []
    rows = []
    for n_members in (1, 16, 256, 2048):
        model = build(True, n_members).to("cuda")
        schedule = Schedule(steps=500, evaluate_every=500)
        train(model, RELEASED.x, RELEASED.u, schedule=Schedule(steps=50), progress=False)
        history = train(model, RELEASED.x, RELEASED.u, schedule=schedule, progress=False)
        rows.append({"members": n_members, "member_steps": n_members * 500 / history.seconds})
        print(f"{n_members:5d} members on the GPU: {rows[-1]['member_steps']:,.0f} member-steps/s")
    return rows


def processor() -> str:
    """Return the processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "an unnamed processor"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "an unnamed processor"


def main() -> None:
    """Measure everything, print it, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("_build/bench.json"))
    parser.add_argument("--size", type=int, help="measure this N alone, for the parent process")
    arguments = parser.parse_args()
    if arguments.size:
        print(json.dumps(one_size(arguments.size)))
        return
    started = time.monotonic()
    print(f"{torch.get_num_threads()} threads; ms for one step of one member\n")
    rows = table()
    print("\nepoch of 4 iVAEs against the number of samples")
    sizes = against_size()
    print()
    gpu = on_gpu()
    found = throughput(rounds=3)
    released_loop = found["usual loop, released objective"] + found["minibatch MCC"]
    rate = products_per_step() / found["many members"] / 1e6
    values = {
        "ratio_usual_loop": found["usual loop"] / found["many members"],
        "ratio_single_member": found["usual loop"] / found["one member"],
        "ratio_released_objective": released_loop / found["many members, released objective"],
        "ratio_released_objective_without_mcc": found["usual loop, released objective"]
        / found["many members, released objective"],
        "fraction_of_peak": rate / found["peak"],
        "peak_memory_gb": max(row["peak_memory_gb"] for row in sizes),
        "gflops": rate,
        "ms": found,
        "table": rows,
        "sizes": sizes,
        "gpu": gpu,
    }
    print(f"\nwhole machine, {MANY} iVAEs, hidden 100, against the usual loop")
    for name in list(values)[:7]:
        print(f"{name:<38} {values[name]:8.2f}")
    settings = {
        "members": MANY,
        "hidden": 100,
        "batch_size": BATCH,
        "dataset": "released, seed 1",
        "threads": torch.get_num_threads(),
        "processor": processor(),
    }
    origin = provenance(time.monotonic() - started)
    save(Record("speed", settings, values, origin), arguments.out)
    flat = json.loads(arguments.out.read_text(encoding="utf-8"))
    arguments.out.write_text(json.dumps(values | flat, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
