# Each target is one line that calls the real tool.

.PHONY: help run test check fmt bench setup cluster-up cluster-down

help: ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: ## one node with a page to open; needs nothing else
	cargo run --locked -p switchboard-node -- dev

test: ## everything, with real parts; installs what it needs
	scripts/test

check: ## formatting, lints, documentation, licences and advisories
	scripts/check

fmt: ## format the code
	cargo fmt --all

bench: ## the benchmark: what it costs, and rivals beside it; twenty minutes; writes docs/benchmarks.md
	cargo build --locked --release -p switchboard-node -p switchboard-loadtest && target/release/switchboard-loadtest bench --page docs/benchmarks.md
	node loadtest/picture.mjs out/bench/calls-switchboard-2/report.html docs/img/benchmarks.svg

setup: ## install what the tests need
	scripts/setup

cluster-up: ## Redis and three nodes behind nginx on this machine
	deploy/local/up

cluster-down: ## stop them
	deploy/local/down
