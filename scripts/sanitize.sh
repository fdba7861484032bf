#!/bin/sh
# Runs the tests of the crates with unsafe code, and the fuzz of every reader, under AddressSanitizer with checks of overflow and of
# the standard library's unsafe preconditions. It takes a nightly toolchain if there is one, else the stable one with its own runtime of
# the sanitizer. Arguments, if any, are packages to test instead of all: tensor runner estimate engine data train cli.
set -eu
cd "$(dirname "$0")/.."

if rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
    toolchain=+nightly
else
    toolchain=+stable
    # -Z sanitizer is not stable; the runtime that comes with the stable toolchain is the same library.
    export RUSTC_BOOTSTRAP=1
fi
target=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS="-Zsanitizer=address -C overflow-checks=on -C debug-assertions=on -C force-frame-pointers=yes"
# OpenBLAS and rayon keep the memory of their threads until the process ends, which counts as a leak.
export ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=0"
# A case takes about ten times as long.
export CONVSTAT_FUZZ_SLOWDOWN=20

run() {
    echo "== $*"
    # A target keeps build scripts and macros, which run in the compiler, free of the sanitizer.
    cargo "$toolchain" test --release --locked --target "$target" --target-dir target/asan "$@"
}

packages=${*:-tensor runner estimate engine data train cli}
for package in $packages; do
    case $package in
        tensor | estimate) run --package "convstat-$package" --lib --tests ;;
        runner | data) run --package "convstat-$package" --lib ;;
        engine) run --package convstat-engine --lib --test operators ;;
        train) run --package convstat-train --lib --test fuzz --test networks ;;
        cli) run --package convstat-cli --test fuzz ;;
        *) echo "$package: no such package" >&2; exit 2 ;;
    esac
done
