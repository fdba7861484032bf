#!/usr/bin/env bash
# Exports networks of torchvision to ONNX (random weights, batch norm kept and folded, both exporters) and compares what the audit reads
# with PyTorch's own counts. Needs Python and about 4 GB for PyTorch and the exports; nothing but Python packages is downloaded.
set -euo pipefail
cd "$(dirname "$0")/.."
place=target/audit-check
if [ ! -e "$place/done" ]; then
    printf '== PyTorch in %s\n' "$place/venv" >&2
    python3 -m venv "$place/venv"
    "$place/venv/bin/pip" install --quiet torch torchvision onnx onnxscript numpy
    printf '== exports\n' >&2
    "$place/venv/bin/python" -W ignore crates/graph/tests/make_onnx.py big "$place/models"
    touch "$place/done"
fi
CONVSTAT_ONNX=$PWD/$place/models cargo test --release --locked --package convstat-graph --test onnx_files files_of -- --nocapture
