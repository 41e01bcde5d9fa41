# The two commands of the README, and what CI runs.
#
#   make demo     two hosts on this machine, one private PostgreSQL, no configuration
#   make test     everything, against a real PostgreSQL that it starts itself
#   make fast     what an engineer runs between two edits
#   make soak     the long form of the chaos tests
#   make corpus   feeds of others, beside what feedparser says of them
#   make bench    the figures of docs/performance.md, as ratios measured side by side

CARGO ?= cargo
# Tests that need a build with planted faults: such a build is never released.
FAULTY = --features faults --test planted --test cut_points --test upgrade

.PHONY: test fast soak corpus lint unit faulty need

test: need lint unit faulty

need:
	scripts/need postgres faketime psycopg python2 pgbouncer

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) clippy --all-targets --features faults -- -D warnings
	$(CARGO) check --no-default-features
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items --quiet

unit:
	$(CARGO) test --no-fail-fast

faulty:
	$(CARGO) test --no-fail-fast $(FAULTY)

fast:
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) test --lib

soak: need
	CRONTABBER_LONG=1 $(CARGO) test --test race --test clocks --test money --test fleet --test daemon
	CRONTABBER_LONG=1 $(CARGO) test $(FAULTY)

# What is fetched stays in the directory of the build: docs/feeds-corpus.md.
corpus:
	scripts/feedparser-corpus
	CRONTABBER_CORPUS=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/feedparser-corpus $(CARGO) test --test corpus -- --nocapture

## demo
# Two hosts on one private PostgreSQL; DEMO_SECONDS=20 ends it by itself, Ctrl-C at any time.

.PHONY: demo

demo:
	scripts/need postgres
	$(CARGO) build --release --bin crontabber --example demo
	@"$${CARGO_TARGET_DIR:-target}/release/examples/demo"

## bench
# The figures of docs/performance.md: release builds, side by side, in turns. The short form is for busy machines: it
# fails only where a figure is off by more than twice.

.PHONY: bench bench-short

bench:
	scripts/need postgres
	scripts/bench-python
	$(CARGO) bench --bench figures

bench-short:
	scripts/need postgres
	scripts/bench-python
	$(CARGO) bench --bench figures -- --short
