#!/usr/bin/env bash
# The long form of the tests that break things: hundreds of kills, damaged files, full disks, 10^5 fuzzed inputs. Bounded: about half an
# hour on two cores. Writes the figures into docs/src/reliability.md.
set -euo pipefail
cd "$(dirname "$0")/.."

figures=$PWD/target/soak
rm -rf "$figures"
mkdir -p "$figures"
export CONVSTAT_SOAK=1 CONVSTAT_FIGURES=$figures

printf '== kills, disks, damaged files, shards, kernels, many cells\n' >&2
cargo test --release --locked --package convstat-cli --test soak -- --nocapture --test-threads=1
printf '== fuzzed inputs\n' >&2
cargo test --release --locked --package convstat-cli --package convstat-train --test fuzz -- --nocapture --test-threads=1
cargo test --release --locked --package convstat-graph --test onnx_hostile -- --nocapture

report=docs/src/reliability.md
section() { # NAME HEADING FILE: replaces what stands between the marks of a table
    { printf "%s\n" "$2"; cat "$3"; } > "$figures/table"
    awk -v name="$1" -v table="$figures/table" '
        $0 == "<!-- " name " -->" { print; while ((getline line < table) > 0) print line; skip = 1; next }
        $0 == "<!-- end -->" { skip = 0 }
        !skip { print }' "$report" > "$figures/report"
    cp "$figures/report" "$report"
}
section soak $'| what | figure |\n|---|---|' "$figures/soak.md"
section fuzz $'| reader | cases | accepted | refused | slowest, ms | largest peak, MB |\n|---|---|---|---|---|---|' "$figures/fuzz.md"
sed -i "s/^Figures of .*/Figures of $(date -u +%Y-%m-%d), $(nproc) processors, commit $(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown):/" "$report"
printf '== all well, figures in %s\n' "$report" >&2
