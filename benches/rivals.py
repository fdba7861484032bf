"""convstat and its rivals on the same data, one after the other in one run; prints ratios and the objective each reached.

    python benches/rivals.py FITS CONVSTAT docs/src/performance.md [--quick]

FITS is the program of benches/fits.rs, CONVSTAT the command line; the tables replace those of the page. All times are of one
thread, arrays in memory.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
import tensorly as tl
import torch
from tensorly.regression import CPRegressor, TuckerRegressor

from page import replace

torch.set_num_threads(1)


def cnn_data(n, kernels, seed):
    """Inputs n x 8 x 8 x 3, kernels 3 x 3 x 3, pooling 3 x 3 (S3 and S4 of THEORY 5), noise of variance 1."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 8, 8, 3))
    patches = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))  # n 6 6 c a b
    pooled = patches.reshape(n, 2, 3, 2, 3, 3, 3, 3).mean(axis=(2, 4))  # n p q c a b
    z = pooled.transpose(0, 1, 2, 4, 5, 3).reshape(n, 4, 27)
    w = rng.standard_normal((4, kernels)) @ rng.standard_normal((kernels, 27))
    return x, z, np.einsum("npl,pl->n", z, w) + rng.standard_normal(n)


def tucker_data(n, seed):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 12, 12, 24))
    core, factors = rng.standard_normal((3, 3, 3)), [rng.standard_normal((d, 3)) for d in (12, 12, 24)]
    w = tl.tucker_to_tensor((core, factors))
    return z, np.einsum("nabc,abc->n", z, w) + rng.standard_normal(n)


def rss(z, y, w):
    return float(np.sum((y - z.reshape(len(y), -1) @ np.asarray(w).ravel()) ** 2))


def numpy_als(z, y, rank, tolerance=1e-12, most=2000):
    """The same estimate written well in NumPy: Gram and Cholesky compression, truncated SVD of the ridge, ALS."""
    n, p, l = z.shape
    flat = z.reshape(n, p * l)
    gram, h = flat.T @ flat, flat.T @ y
    ridge = 0.1 * np.trace(gram) / n
    w0 = np.linalg.solve(gram + ridge * np.eye(p * l), h).reshape(p, l)
    u, s, vt = np.linalg.svd(w0, full_matrices=False)
    b, a = u[:, :rank] * s[:rank], vt[:rank].T.copy()
    g4, h2, yy = gram.reshape(p, l, p, l), h.reshape(p, l), y @ y
    before = np.inf
    for _ in range(most):
        m = np.einsum("plqm,lk->pkqm", g4, a, optimize=True)
        m = np.einsum("pkqm,mj->pkqj", m, a, optimize=True).reshape(p * rank, p * rank)
        b = np.linalg.lstsq(m, (h2 @ a).ravel(), rcond=None)[0].reshape(p, rank)
        m = np.einsum("plqm,pk->klqm", g4, b, optimize=True)
        m = np.einsum("klqm,qj->kljm", m, b, optimize=True).reshape(rank * l, rank * l)
        a = np.linalg.lstsq(m, (b.T @ h2).ravel(), rcond=None)[0].reshape(rank, l).T
        w = (b @ a.T).ravel()
        now = yy - 2 * h @ w + w @ gram @ w
        if before - now < tolerance * now:
            break
        before = now
    return b @ a.T


def tensorly_cp(z, y, rank):
    model = CPRegressor(weight_rank=rank, tol=1e-10, reg_W=0, n_iter_max=2000, random_state=0, verbose=0)
    model.fit(z, y)
    return model.weight_tensor_


def tensorly_tucker(z, y):
    model = TuckerRegressor(weight_ranks=[3, 3, 3], tol=1e-8, reg_W=0, n_iter_max=500, random_state=0, verbose=0)
    model.fit(z, y)
    return model.weight_tensor_


def torch_lbfgs(x, y, kernels, target):
    """The CNN itself by L-BFGS from a random start, until its objective is the target."""
    torch.manual_seed(0)
    inputs = torch.tensor(x).permute(0, 3, 1, 2).contiguous()
    y = torch.tensor(y)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, kernels, 3, bias=False),
        torch.nn.AvgPool2d(3),
        torch.nn.Flatten(),
        torch.nn.Linear(4 * kernels, 1, bias=False),
    ).double()
    optimiser = torch.optim.LBFGS(net.parameters(), max_iter=20, history_size=50, line_search_fn="strong_wolfe",
                                  tolerance_grad=1e-12, tolerance_change=1e-14)

    def closure():
        optimiser.zero_grad()
        loss = torch.sum((net(inputs).squeeze(1) - y) ** 2)
        loss.backward()
        return loss

    for _ in range(100):
        loss = optimiser.step(closure)
        if loss.item() <= target * (1 + 1e-6):
            break
    with torch.no_grad():
        return torch.sum((net(inputs).squeeze(1) - y) ** 2).item()


def timed(f, seconds=1.0):
    """Median time and last result; as many repeats as fit into the seconds, at least one."""
    times, begin = [], time.perf_counter()
    while not times or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        result = f()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2], result


def convstat(fits, folder, cases):
    (folder / "cases.json").write_text(json.dumps(cases))
    lines = subprocess.run([fits, str(folder)], check=True, capture_output=True, text=True).stdout
    return {r["name"]: r for r in map(json.loads, lines.splitlines())}


def main():
    from pathlib import Path

    fits, command, out = sys.argv[1:4]
    quick = "--quick" in sys.argv
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def case(label, z, y, structure, shape, starts=0):
            flat = np.ascontiguousarray(z.reshape(len(y), -1))
            np.save(folder / f"{label}-z.npy", flat)
            np.save(folder / f"{label}-y.npy", y[:, None])
            one = [{"name": label, "structure": structure, "shape": shape, "starts": starts}]
            ours = convstat(fits, folder, one)[label]
            os.remove(folder / f"{label}-z.npy")
            return ours

        sizes = [267] if quick else [267, 1067, 4267]
        for kernels in (1, 3):
            for n in sizes:
                x, z, y = cnn_data(n, kernels, n + kernels)
                label = f"CNN K = {kernels}, n = {n}"
                structure = f'{{ einsum = "ar,br->ab", sizes = {{ r = {kernels} }} }}'
                ours = case(f"cnn{kernels}-{n}", z, y, structure, [4, 27])
                best = ours["objective"]
                print(f"{label}: convstat {ours['seconds']:.2e} s, objective {best:.8f}", flush=True)
                for rival, f in (
                    ("NumPy ALS", lambda: rss(z, y, numpy_als(z, y, kernels))),
                    ("TensorLy CPRegressor", lambda: rss(z, y, tensorly_cp(z, y, kernels))),
                    ("PyTorch L-BFGS", lambda: torch_lbfgs(x, y, kernels, best)),
                ):
                    seconds, reached = timed(f)
                    rows.append((label, ours["seconds"], rival, seconds, best, reached))
                    print(f"  {rival}: {seconds / ours['seconds']:.0f} x, objective {reached:.8f}", flush=True)
        n = 500 if quick else 2000
        z, y = tucker_data(n, 5)
        label = f"Tucker 12x12x24, n = {n}"
        structure = '{ einsum = "rst,ar,bs,ct->abc", sizes = { r = 3, s = 3, t = 3 } }'
        ours = case("tucker", z, y, structure, [12, 12, 24])
        seconds, reached = timed(lambda: rss(z, y, tensorly_tucker(z, y)))
        rows.append((label, ours["seconds"], "TensorLy TuckerRegressor", seconds, ours["objective"], reached))
        print(f"{label}: convstat {ours['seconds']:.2e} s; TuckerRegressor {seconds / ours['seconds']:.0f} x", flush=True)
        studies = study_times(command, folder, quick)
    report(out, rows, studies)
    draw(studies, Path(out).parent / FIGURE)


FIT_TABLE = "## A fit: milliseconds, beside rivals"
STUDY_TABLE = "## A study: milliseconds a replicate"
FIGURE = "../../paper-figures/cost.svg"  # from the page

STUDY = """[study]
name = "bench"
seed = 1
replicates = {replicates}
[[setting]]
name = "S"
input = [{side}, {side}, 3]
kernel = [3, 3, 3]
pool = [3, 3, 1]
structure = {{ kind = "cnn", kernels = 3 }}
[[design]]
kind = "{design}"
[samples]
n = [{n}]
[theory]
bounds = false
"""


def study_times(command, folder, quick):
    """Seconds a replicate of studies of one cell, as (design, n, D, replicates, threads) -> seconds."""
    times = {}

    def run(design, n, replicates, threads, side=8):
        # D = 27 pooled positions of a 3 x 3 grid, of side (side - 2) // 3.
        file, out = folder / "study.toml", folder / f"run-{time.perf_counter_ns()}"
        file.write_text(STUDY.format(design=design, n=n, replicates=replicates, side=side))
        start = time.perf_counter()
        subprocess.run([command, "study", "run", file, "--out", out, "--threads", str(threads)],
                       check=True, capture_output=True)
        seconds, key = time.perf_counter() - start, (design, n, 27 * ((side - 2) // 3) ** 2, replicates, threads)
        times[key] = min(seconds / replicates, times.get(key, np.inf))
        return times[key]

    reps = 100 if quick else 1000
    for design, sizes in (("normal", (1000, 10_000, 100_000)), ("normal-exact", (1000, 10_000, 10**6, 10**9, 10**12))):
        for n in sizes:
            r = reps if design == "normal-exact" else max(reps * 1000 // n, 20)
            one, two = (min(run(design, n, r, threads) for _ in range(3)) for threads in (1, 2))
            print(f"{design} n = {n}: {1e3 * one:.2f} ms a replicate, two threads {one / two:.2f} x", flush=True)
    for side in (5, 11, 14, 17):
        for design in ("normal", "normal-exact"):
            run(design, 10_000, max(reps // 20, 20), 1, side)
    for r in (reps // 10, reps, 3 * reps):
        run("normal-exact", 10_000, r, 1)
        run("normal-exact", 10_000, r, 2)
    return times


def draw(times, path):
    """Cost against n, D and replicates, data drawn and exact law."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot, ticker

    matplotlib.rcParams["svg.hashsalt"] = "convstat"
    figure, axes = pyplot.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    for design, colour in (("normal", "C0"), ("normal-exact", "C1")):
        own = {k[1:]: v for k, v in times.items() if k[0] == design}
        largest = {}
        for (n, d, r, threads), v in own.items():
            largest[n, d, threads] = min(v, largest.get((n, d, threads), np.inf))
        for threads, style in ((1, "o-"), (2, "s--")):
            line = sorted((n, 1e3 * v) for (n, d, t), v in largest.items() if d == 108 and t == threads)
            axes[0].loglog(*zip(*line), style, color=colour, label=f"{design}, {threads} thread{'s' * (threads - 1)}")
            line = sorted((r, r * v) for (n, d, r, t), v in own.items() if (n, d, t) == (10_000, 108, threads))
            if design == "normal-exact":
                axes[2].loglog(*zip(*line), style, color=colour, label=f"{design}, {threads} thread{'s' * (threads - 1)}")
        line = sorted((d, 1e3 * v) for (n, d, t), v in largest.items() if (n, t) == (10_000, 1))
        axes[1].loglog(*zip(*line), "o-", color=colour, label=design)
    axes[1].set_xticks(sorted({k[2] for k in times}))
    axes[2].set_xticks(sorted({k[3] for k in times if k[:3] == ("normal-exact", 10_000, 108)}))
    for axis in axes:
        axis.yaxis.set_minor_formatter(ticker.NullFormatter())
        axis.xaxis.set_minor_formatter(ticker.NullFormatter())
    for axis in axes[1:]:
        axis.xaxis.set_major_formatter(ticker.ScalarFormatter())
    for axis, label in zip(axes, ("sample size n (D = 108)", "features D (n = 10 000)", "replicates (n = 10 000)")):
        axis.set_xlabel(label)
        axis.set_ylabel("seconds a study" if axis is axes[2] else "ms a replicate")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def report(path, rows, studies):
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    fits = [
        f"Measured {time.strftime('%Y-%m-%d')} on {cpu}, {os.cpu_count()} cores; Python {platform.python_version()}, NumPy "
        f"{np.__version__}, TensorLy {version('tensorly')}, PyTorch {version('torch')}; one thread each, median of repeats over "
        "one second, the arrays in memory, compression included.",
        "",
        "| data | convstat, ms | rival | rival, ms | ratio | rival's objective / ours − 1 |",
        "|---|---|---|---|---|---|",
    ]
    for label, ours, rival, seconds, best, reached in rows:
        fits.append(f"| {label} | {1e3 * ours:.2f} | {rival} | {1e3 * seconds:.1f} | **{seconds / ours:.3g}** | {reached / best - 1:+.1e} |")
    table = [
        f"![Cost of a study]({FIGURE})",
        "",
        "| design | n | D | replicates | ms a replicate, one thread | speed-up, two threads |",
        "|---|---|---|---|---|---|",
    ]
    for (design, n, d, r, threads), one in sorted(studies.items()):
        if threads == 1:
            two = studies.get((design, n, d, r, 2))
            speed_up = f"{one / two:.2f}" if two else ""
            table.append(f"| {design} | {n:.0e} | {d} | {r} | {1e3 * one:.2f} | {speed_up} |")
    replace(path, FIT_TABLE, fits)
    replace(path, STUDY_TABLE, table)


if __name__ == "__main__":
    main()
