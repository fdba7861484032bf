#!/usr/bin/env bash
# The long tests: in full size what `make test` runs in short, and comparisons with other programs.
# test-all.sh [--again] [PART...]: the parts named, else all of them, one after the other:
#
#   sizes      how often checks fail studies whose theory is right, over 1 000 studies
#   optima     how often the default starts miss the best optimum known, over 200 data sets
#   kills      hundreds of kills, full disks, damaged files, shards, other BLAS kernels
#   fuzz       thousands of generated and damaged inputs for each reader
#   exports    what the audit reads in a hundred ONNX exports, against PyTorch's own counts (downloads PyTorch)
#   sanitize   the tests of unsafe code and of the readers under AddressSanitizer
#   rivals     speed and objectives beside TensorLy and PyTorch (downloads them)
#
# A part that has passed is skipped until --again, so that the same command goes on after an interrupt. Tables go into the book
# (docs/src/reliability.md, performance.md) with date and machine; target/test-all/PART.log has what a part printed.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_PROGRESS_WHEN=never

all="sizes optima kills fuzz exports sanitize rivals"
place=$PWD/target/test-all
report=docs/src/reliability.md
mkdir -p "$place"

say() { printf '== %s\n' "$*"; }
long_test() { CONVSTAT_LONG=1 CONVSTAT_FIGURES=$place cargo test --release --locked "$@" --nocapture; }

sizes() {
    long_test --package convstat-cli --test sizes --
    section sizes '| check | studies | failed | share | stated |' "$place/sizes.md"
}
optima() { long_test --package convstat-estimate --test basins -- --ignored; }
kills() {
    long_test --package convstat-cli --test soak -- --test-threads=1
    section kills '| what | figure |' "$place/kills.md"
}
fuzz() {
    long_test --package convstat-cli --package convstat-train --test fuzz -- --test-threads=1
    long_test --package convstat-onnx --test onnx_hostile --
    section fuzz '| reader | cases | accepted | refused | slowest, ms | largest peak, MB |' "$place/fuzz.md"
}
exports() {
    if [ ! -e "$place/models/done" ]; then
        python3 -m venv "$place/venv"
        "$place/venv/bin/pip" install --quiet torch torchvision onnx onnxscript numpy
        "$place/venv/bin/python" -W ignore crates/onnx/tests/make_onnx.py big "$place/models"
        touch "$place/models/done"
    fi
    CONVSTAT_ONNX=$place/models long_test --package convstat-onnx --test onnx_files files_of --
}
sanitize() { scripts/sanitize.sh; }
rivals() { make bench; }

section() { # NAME HEADER FILE: the table between the marks NAME and end in the report
    {
        printf '%s\n' "$2"
        printf '%s\n' "$2" | sed 's/[^|]\+/---/g'
        cat "$3"
    } > "$place/table"
    awk -v name="$1" -v table="$place/table" '
        $0 == "<!-- " name " -->" { print; while ((getline line < table) > 0) print line; skip = 1; next }
        $0 == "<!-- end -->" { skip = 0 }
        !skip { print }' "$report" > "$place/report"
    cp "$place/report" "$report"
}

# One part, in a shell of its own: its first command that fails ends it.
if [ "${1:-}" = --run ]; then
    "$2"
    exit
fi

again=""
if [ "${1:-}" = --again ]; then again=yes; shift; fi
parts=${*:-$all}
for part in $parts; do
    case " $all " in
        *" $part "*) ;;
        *) printf 'test-all.sh: %s is no part; the parts are %s\n' "$part" "$all" >&2; exit 2 ;;
    esac
done
scripts/setup.sh tests
machine="$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1), $(nproc) processors"
failed=""
for part in $parts; do
    row=$place/$part.passed
    if [ -z "$again" ] && [ -e "$row" ]; then
        say "$part passed on $(cut -d'|' -f3 "$row" | xargs): skipped without --again"
        continue
    fi
    say "$part, log in target/test-all/$part.log"
    rm -f "$row" "$place/$part.md"
    start=$SECONDS
    if bash scripts/test-all.sh --run "$part" > "$place/$part.log" 2>&1; then
        took=$((SECONDS - start))
        say "$part passed after $((took / 60)) min $((took % 60)) s"
        printf '| %s | %s | %s | %s | %d min %d s |\n' "$part" "$(date -u +%Y-%m-%d)" "$machine" \
            "$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)" $((took / 60)) $((took % 60)) > "$row"
        for each in $all; do cat "$place/$each.passed" 2>/dev/null || true; done > "$place/parts.md"
        section parts '| part | passed on | machine | commit | took |' "$place/parts.md"
    else
        tail -20 "$place/$part.log"
        failed="$failed $part"
    fi
done
if [ -n "$failed" ]; then say "failed:$failed"; exit 1; fi
say "all parts passed; the table of parts is in $report"
