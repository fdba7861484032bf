#!/usr/bin/env bash
# Builds convstat, runs studies and draws their figures into paper-figures/. figures.sh: the main studies, the quickest first.
# figures.sh all: every study, the audits, and the ablation with the training program. Runs are kept in RUNS (runs/): a study that is
# done is not run again. Exit code 1: a check failed; the last line names its study.
set -euo pipefail
cd "$(dirname "$0")/.."

main="kr-ratio cnn-rate bounds coverage collapse"
rest="deep tucker-rate cp-rate tt-rate dependence tails efficient-kernels relu-kr estimators confidence rank-selection classification"
runs=${RUNS:-runs}
convstat=target/release/convstat

say() { printf '== %s\n' "$*"; }
passed() { printf '%d min %d s' $((SECONDS / 60)) $((SECONDS % 60)); }
# Status 1 is a check that failed: the figure is drawn all the same.
run() {
    local status=0
    "$@" || status=$?
    case $status in
        0) ;;
        1) failed="$failed $name" ;;
        *) exit "$status" ;;
    esac
}

case ${1:-main} in
    main) studies=$main ;;
    all) studies="$main $rest" ;;
    *) printf 'figures.sh: main or all, not %s\n' "$1" >&2; exit 2 ;;
esac
scripts/setup.sh
say "build of convstat"
cargo build --release --locked --bin convstat
failed="" first=yes
for name in $studies; do
    say "study $name"
    run "$convstat" study run "experiments/$name.toml" --out "$runs/$name"
    "$convstat" figures "$runs/$name" --out paper-figures
    if [ -n "$first" ]; then say "first picture: paper-figures/$name.svg after $(passed)"; fi
    first=""
done
if [ "${1:-main}" = all ]; then
    say "audits"
    for network in resnet50 mobilenet_v2; do
        for format in svg png pdf; do
            "$convstat" audit "$network" --figure "paper-figures/audit-$network.$format" >/dev/null
        done
    done
    say "build of convstat-train"
    cargo build --release --locked --bin convstat-train
    name=ablation-digits
    say "ablation $name"
    run target/release/convstat-train ablate "experiments/$name.toml" --out "$runs/$name"
    cp "$runs/$name/figures/"* paper-figures/
fi
say "figures are in paper-figures/ after $(passed)"
if [ -n "$failed" ]; then say "checks failed in:$failed"; exit 1; fi
