#!/usr/bin/env bash
# Checks and measures the CUDA backend on this machine's GPU: every operation against the portable backend, a short training run,
# images a second beside PyTorch. Needs the NVIDIA driver, and a Python with PyTorch and NumPy as PYTHON (default python3). Builds with
# the CUDA toolkit (nvcc); with PREBUILT=DIR it takes the programs cuda-test, throughput and convstat-train from there.
# Report: docs/src/gpu-check.md; the table of docs/src/performance.md is replaced.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

say() { printf '== %s\n' "$*" >&2; }
need() { command -v "$1" >/dev/null || { say "$1 is missing: $2"; exit 2; }; }

need nvidia-smi "a GPU with its driver is needed"
need "$python" "set PYTHON to one with PyTorch"
"$python" -c 'import numpy, torch; assert torch.cuda.is_available()' || { say "$python has no PyTorch that sees the GPU"; exit 2; }

if [ -n "${PREBUILT:-}" ]; then
    bin=$PREBUILT
else
    need cargo "install a Rust toolchain (https://rustup.rs), or give PREBUILT"
    need nvcc "install the CUDA toolkit, or give PREBUILT"
    scripts/setup.sh
    say "build"
    bin=target/gpu-check
    mkdir -p "$bin"
    cargo build --release --locked --package convstat-train --features cuda --bin convstat-train
    cp target/release/convstat-train "$bin/"
    program() { "$python" -c "import json, sys; print([m['executable'] for m in map(json.loads, sys.stdin) if m.get('executable')][-1])"; }
    flags="--release --locked --package convstat-train --features cuda --no-run --message-format=json"
    # shellcheck disable=SC2086
    cp "$(cargo test $flags --test cuda | program)" "$bin/cuda-test"
    # shellcheck disable=SC2086
    cp "$(cargo test $flags --bench throughput | program)" "$bin/throughput"
fi

# cuBLAS, cuDNN and NVRTC as Python packages bring them, for machines without them in the system.
packages=$("$python" - <<'END'
import glob, importlib.util
spec = importlib.util.find_spec("nvidia")
roots = list(spec.submodule_search_locations) if spec else []
print(":".join(d for r in roots for d in sorted(glob.glob(r + "/*/lib"))))
END
)
export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$packages"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
report=docs/src/gpu-check.md
failed=0
{
    echo "# Check of the CUDA backend"
    echo
    echo "\`make gpu-check\`, $(date -u +%Y-%m-%d), $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -1)."
    echo
    echo "## Operations against the portable backend in double precision"
    echo
    echo "Distances are ‖found − expected‖ / ‖expected‖; at most 1e-5 in f32, 2e-3 in tf32, 1e-2 in bf16 (5e-2 for ReLU6 behind a residual, whose rounded output says what was clamped)."
    echo
    echo '```text'
} > "$report"
say "operations"
"$bin/cuda-test" --test-threads=1 --nocapture > "$work/tests" 2>&1 || failed=1
grep -v '^$' "$work/tests" | tee -a "$report" >&2
{
    echo '```'
    echo
    echo "## A short run"
    echo
    echo "CIFAR-shaped images made for it (ten patterns in noise), 10 000 to train on, 2 000 to test on, two epochs of the quick ablation's"
    echo "network at K/R = 4:"
    echo
    echo '```text'
} >> "$report"
say "a short run"
"$python" - "$work" <<'END'
import sys, numpy as np
rng = np.random.default_rng(1)
patterns = np.kron(rng.normal(size=(10, 3, 4, 4)), np.ones((8, 8)))
def batch(name, n):
    y = rng.integers(0, 10, n)
    x = np.clip(128 + 40 * patterns[y] + 40 * rng.normal(size=(n, 3, 32, 32)), 0, 255).astype(np.uint8)
    np.concatenate([y[:, None].astype(np.uint8), x.reshape(n, -1)], 1).tofile(f"{sys.argv[1]}/{name}.bin")
for i in range(1, 6):
    batch(f"data_batch_{i}", 2000)
batch("test_batch", 2000)
END
sed -e '/^train = /d; /^test = /d; s/^epochs = .*/epochs = 2/' experiments/ablation-cifar10-quick.toml > "$work/short.toml"
for precision in f32 tf32 bf16; do
    "$bin/convstat-train" train "$work/short.toml" --kr 4 --data "$work" --out "$work/$precision" --device cuda --precision "$precision" \
        2> "$work/log" > "$work/line" || { failed=1; cat "$work/log"; }
    grep -qE '^accuracy (9[0-9]|100)' "$work/line" || { failed=1; say "$precision: does not learn"; }
    echo "$precision: $(cat "$work/line")" | tee -a "$report" >&2
done
echo '```' >> "$report"
say "images a second, beside PyTorch"
"$python" benches/train_torch.py --device cuda --steps 50 --against "$bin/throughput" --write docs/src/performance.md | tee "$work/bench" >&2 || failed=1
{
    echo
    echo "## Images a second"
    echo
    sed -n '/^Measured/,$p' "$work/bench"
} >> "$report"
{
    echo
    echo "## Clips a second"
    echo
    echo "Training of the networks of experiments/ablation-ucf101.toml at K/R = 4 in bf16, batches of 32 clips of 16×112×112:"
    echo
    echo '```text'
} >> "$report"
say "clips a second"
"$bin/throughput" --networks 20 --video --device cuda --precision bf16 | tee -a "$report" >&2 || failed=1
echo '```' >> "$report"
[ "$failed" = 0 ] || { say "failed, see $report"; exit 1; }
say "all well, see $report"
