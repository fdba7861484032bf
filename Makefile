# make figures: set-up, build, the main studies and their figures; the first picture comes after some minutes. make all-figures: all
# studies, the audits, and the ablation with the training program.
# make test: set-up, format, lints, documentation, tests. make test-all: the long tests (hours); scripts/test-all.sh PART runs one.
# make setup: installs OpenBLAS; setup-tests: also what tests start.
# make bench: micro benchmarks, and rivals on the same data (Python, downloads PyTorch). make gpu-check: the CUDA backend on a GPU.
# make reference: writes the pages of the reference, and what sessions in the book print, anew. make book: the book, as a site.
# All are safe to repeat and say what they do.

CONVSTAT := target/release/convstat

.PHONY: figures all-figures test test-all setup setup-tests build lint doc bench gpu-check reference book clean

figures:
	@scripts/figures.sh

all-figures:
	@scripts/figures.sh all

setup:
	@scripts/setup.sh

setup-tests:
	@scripts/setup.sh tests

build: setup
	@echo "== build"
	cargo build --release --bin convstat

lint: setup
	@echo "== format and lints"
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets --locked -- -D warnings
	@echo "== lints of the CUDA code; no CUDA is needed"
	PATH="$(CURDIR)/scripts/fake-cuda:$$PATH" NVCC=$(CURDIR)/scripts/fake-cuda/nvcc CUDA_COMPUTE_CAP=90 cargo clippy --release \
		--package convstat-engine --package convstat-train --features cuda --all-targets --locked --target-dir target/fake-cuda -- -D warnings

doc: setup
	@echo "== documentation"
	RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps --locked

test: setup-tests lint doc
	@echo "== tests"
	cargo test --release --workspace --locked --doc
	cargo test --release --workspace --locked --lib --bins --tests

test-all:
	@scripts/test-all.sh

.bench/done: benches/requirements.txt
	python3 -m venv .bench
	.bench/bin/pip install --quiet --requirement benches/requirements.txt
	@touch $@

bench: build .bench/done
	@echo "== micro benchmarks"
	cargo bench --package convstat --bench micro
	@echo "== convstat and rivals on the same data"
	@fits=$$(cargo bench --no-run --message-format=json --package convstat --bench fits 2>/dev/null \
		| .bench/bin/python -c "import json, sys; print([m['executable'] for m in map(json.loads, sys.stdin) if m.get('executable')][-1])"); \
	.bench/bin/python benches/rivals.py $$fits $(CONVSTAT) docs/src/performance.md
	@echo "== training, beside PyTorch"
	@throughput=$$(cargo bench --no-run --message-format=json --package convstat-train --bench throughput 2>/dev/null \
		| .bench/bin/python -c "import json, sys; print([m['executable'] for m in map(json.loads, sys.stdin) if m.get('executable')][-1])"); \
	.bench/bin/python benches/train_torch.py --against $$throughput --write docs/src/performance.md

reference: setup-tests
	CONVSTAT_DOCS=write cargo test --release --locked -p convstat-cli --test reference --test docs --no-fail-fast
	CONVSTAT_DOCS=write cargo test --release --locked -p convstat-train --test docs

MDBOOK := target/tools/bin/mdbook
$(MDBOOK):
	@echo "== mdbook, built once; takes minutes"
	cargo install mdbook --locked --version 0.5.4 --no-default-features --features search --root target/tools --target-dir target/tools/build

# The site has the folders of the repository, so that links from pages to figures and files lead to them.
book: $(MDBOOK)
	@echo "== typesetting of formulas"
	cargo build --release --locked --package mdbook-math
	@echo "== book"
	rm -rf target/site
	$(MDBOOK) build docs
	cp --parents $$(git ls-files paper-figures experiments examples notebooks-export 'crates/*.rs') target/site/
	@echo '<meta http-equiv="refresh" content="0; url=docs/book/index.html">' > target/site/index.html
	@echo "== the book is target/site/index.html"

gpu-check:
	@scripts/gpu-check.sh

clean:
	cargo clean
	rm -rf runs
