#!/usr/bin/env bash
# Installs what the build needs from the system: OpenBLAS (pthread build) and pkg-config; and bsdtar, which
# `convstat-train fetch ucf101` unpacks with. Safe to repeat.
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }

command -v cargo >/dev/null || {
    say "cargo is missing: install a Rust toolchain (https://rustup.rs), version 1.89 or newer"
    exit 2
}
if pkg-config --exists openblas 2>/dev/null; then
    say "set-up: OpenBLAS $(pkg-config --modversion openblas) is installed"
    command -v bsdtar >/dev/null && exit 0
    # The build does without it.
    if ! command -v apt-get >/dev/null || { [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; }; then
        say "set-up: bsdtar (libarchive) is missing; convstat-train fetch ucf101 and its tests need it"
        exit 0
    fi
    packages="libarchive-tools"
else
    packages="libopenblas-pthread-dev pkg-config gcc libc6-dev libarchive-tools"
fi
if ! command -v apt-get >/dev/null; then
    say "set-up: no apt-get here; install the pthread build of OpenBLAS with its headers, pkg-config and a C compiler,"
    say "then run this again. Without OpenBLAS: cargo build --no-default-features --features netlib-static"
    exit 2
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null; then
        sudo="sudo"
    else
        say "set-up: root is needed once. As root run: apt-get install -y --no-install-recommends $packages"
        exit 2
    fi
fi
say "set-up: installing $packages"
$sudo apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $packages >/dev/null
say "set-up: done"
