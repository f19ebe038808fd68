# Each target is one line that calls the real tool.

.PHONY: help run dev test check fmt bench abuse fuzz mutants coverage setup cluster-up cluster-down

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: ## one node with a page to open; needs nothing else
	cargo run --locked --bin switchboard -- dev

dev: ## as run; builds and starts it again whenever a source changes
	scripts/dev

test: ## everything, with real parts, after the checks; installs what it needs
	scripts/test

check: ## format, words, licences, yanked crates and advisories, lints, documentation
	scripts/check

fmt: ## format the code
	cargo fmt --all

bench: ## the benchmark: what it costs, and other servers in the same run; twenty minutes; writes docs/benchmarks.md
	cargo build --locked --release -p switchboard-node -p switchboard-loadtest && target/release/switchboard-loadtest bench --page docs/benchmarks.md
	node loadtest/picture.mjs out/bench/calls-switchboard-2/report.html docs/img/benchmarks.svg
	scripts/figures

abuse: ## attacks on a cluster, and what its other clients notice; six minutes; writes docs/abuse.md
	cargo build --locked --release -p switchboard-node && cargo test --locked --release -p switchboard-testkit --test abuse -- --all --page docs/abuse.md

fuzz: ## every decoder for ten minutes
	scripts/fuzz

mutants: ## changes in protocol, core and broker that no test notices; hours
	scripts/mutants

coverage: ## which lines the tests run that need no cluster
	scripts/coverage

setup: ## install what the tests need
	scripts/setup

cluster-up: ## Redis and three nodes behind nginx on this machine
	deploy/local/up

cluster-down: ## stop them
	deploy/local/down
