# Two commands do everything on a fresh machine: `make demo` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help demo test peers faults model bench lint tools

help:               ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

demo:               ## the whole product on a simulated network, console on http://127.0.0.1:8080
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.95 or newer (https://rustup.rs)"; exit 2; }
	cargo run --locked -- demo

test: tools         ## every test, over real databases and a real browser
	cargo test --locked --workspace

peers: tools        ## the journeys against a real Bluesky network and a real Matrix server
	tests/peers/run.sh

faults: tools       ## 10 minutes in which everything is killed, frozen, cut off and put back; before it 100 kills of a listener
	FAULTS_KILLS=100 cargo test --locked --workspace --test main faults:: -- --nocapture
	FAULTS_MINUTES=10 cargo test --locked --test campaign -- --nocapture

model:              ## the protocol of sending: what holds in every order of steps, and what breaks without each rule
	cargo run --locked -p muhatap-model

bench: tools        ## speed and memory, in a release build
	cargo bench --locked --workspace

lint:               ## formatting and clippy
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --workspace --test peers -- -D warnings

tools:
	@tests/tools.sh
