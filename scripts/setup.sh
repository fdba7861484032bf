#!/usr/bin/env bash
# Installs what is needed from the system. setup.sh: for the build, OpenBLAS (pthread build) and pkg-config. setup.sh tests: also
# rustfmt and clippy, and what tests start: ffmpeg (videos) and bsdtar (archives), Slurm and munge, whose services need not run,
# Chromium for reports, Python with venv for notebooks. Safe to repeat.
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }

command -v cargo >/dev/null || {
    say "cargo is missing: install a Rust toolchain (https://rustup.rs), version 1.89 or newer"
    exit 2
}
if [ "${1:-}" = tests ] && ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
    rustup component add rustfmt clippy
fi
needed=""
if pkg-config --exists openblas 2>/dev/null; then
    say "set-up: OpenBLAS $(pkg-config --modversion openblas) is installed"
else
    needed="libopenblas-pthread-dev pkg-config gcc libc6-dev"
fi
packages="$needed"
has() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null; }
if [ "${1:-}" = tests ]; then
    has ffmpeg || packages="$packages ffmpeg"
    has bsdtar || packages="$packages libarchive-tools"
    { has slurmctld && has slurmd && has sbatch; } || packages="$packages slurm-wlm"
    has munged || packages="$packages munge"
    browser=""
    for program in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
        # Ubuntu has a stand-in of this name that only asks for another package.
        if "$program" --version >/dev/null 2>&1; then browser="$program"; fi
    done
    [ -n "$browser" ] || packages="$packages chromium-headless-shell"
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages="$packages python3-venv"
fi
[ -n "$packages" ] || exit 0
# The build needs OpenBLAS; without the rest only the tests that start it fail.
stop() {
    if [ -z "$needed" ]; then
        say "set-up: goes on without; tests of what is missing fail"
        exit 0
    fi
    exit 2
}
if ! command -v apt-get >/dev/null; then
    say "set-up: no apt-get here. Install what stands for: $packages"
    if [ -n "$needed" ]; then
        say "(the pthread build of OpenBLAS with its headers), then run this again; or, without OpenBLAS, build with"
        say "--no-default-features --features netlib-static"
    fi
    stop
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null; then
        sudo="sudo"
    else
        say "set-up: root is needed once. As root run: apt-get install -y --no-install-recommends $packages"
        stop
    fi
fi
say "set-up: installing $packages"
install() { DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }
# shellcheck disable=SC2086
if ! $sudo apt-get update -qq || ! install $packages; then
    # One package that cannot be had is no reason to go without the others.
    if [ -n "$needed" ] && install $needed; then needed=""; fi
    for package in $packages; do install "$package" || true; done
    stop
fi
say "set-up: done"
