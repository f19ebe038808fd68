# Each target is one line that calls the real tool.

.PHONY: help run dev test check fmt bench redis-cost abuse fuzz mutants coverage kubernetes-test setup cluster-up cluster-down chart-package image

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

redis-cost: ## what peers and messages cost Redis, compared with the least commands that do the same; six minutes
	cargo run --locked --release -p switchboard-broker --example redis_cost

bench-redis: ## one Redis, a cluster and independent servers, compared; four minutes; writes docs/benchmarks-redis.md
	cargo build --locked --release -p switchboard-node -p switchboard-loadtest && target/release/switchboard-loadtest bench --modes --out out/bench-redis.json --page docs/benchmarks-redis.md

faults: ## every fault in every mode of Redis; half an hour
	scripts/faults

abuse: ## attacks on a cluster, and what its other clients notice; six minutes; writes docs/abuse.md
	cargo build --locked --release -p switchboard-node && cargo test --locked --release -p switchboard-testkit --test abuse -- --all --page docs/abuse.md

fuzz: ## every decoder for ten minutes
	scripts/fuzz

mutants: ## changes in protocol, core and broker that no test notices; hours
	scripts/mutants

coverage: ## which lines the tests run that need no cluster
	scripts/coverage

kubernetes-test: ## the chart on a real Kubernetes, with kubelets; builds it in sixteen minutes the first time
	python3 tests/kubernetes/run.py

setup: ## install what the tests need
	scripts/setup

cluster-up: ## Redis and three nodes behind nginx on this machine; with TLS=1 over TLS
	deploy/local/up

cluster-down: ## stop them
	deploy/local/down

chart-package: ## the Helm chart as a package, in out/chart; ARGS="--push oci://… --sign KEY" also pushes and signs it
	deploy/chart/package $(ARGS)

image: ## the image without a container engine, in out/image; ARGS="--arch aarch64" builds it for arm64
	deploy/image/build $(ARGS)
