//! Instructions and allocations of a message, as docs/counts.md has them. Callgrind counts them, so they are the same on a busy
//! machine; ADR 74 says how they are kept independent of the machine. Not the kernel's work, and not the socket's.
#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use switchboard_harness::{Committed, or_skip};

/// Rows of the page and their work in the program.
const ROWS: [(&str, &str); 10] = [
    ("decode a frame of a client", "decode"),
    ("encode a frame to a client", "encode"),
    ("encode and decode an envelope between nodes", "envelope"),
    ("Rust client: encode a command", "client-encode"),
    ("Rust client: decode a message", "client-decode"),
    ("decode a frame and decide on it", "gate"),
    ("a message on one node, from frame to receipt", "local"),
    ("the same, with 20,000 others on the node", "full"),
    ("a message across nodes, both nodes", "across"),
    ("attach and detach a session", "attach"),
];

/// How often it is done. In the difference of two runs, the start of the process and of the nodes is gone.
const TIMES: [u64; 2] = [1_024, 3_072];

/// The share by which a figure may differ from the committed one.
const BAR: f64 = 0.03;

/// The C library chooses its functions by the processor; with these it chooses those that every x86-64 has.
const BASELINE: &str = "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-FSRM,-BMI2,-SSSE3,-SSE4_1,-SSE4_2,-MOVBE,-RTM";

/// Functions of the C library by which Rust allocates.
const ALLOCATIONS: [&str; 4] = ["malloc", "calloc", "realloc", "posix_memalign"];

#[derive(Debug, Clone, Copy)]
struct Counts {
    instructions: f64,
    allocations: f64,
}

#[test]
fn instructions_and_allocations_of_a_message_are_those_of_the_page() {
    let valgrind = Command::new("valgrind").arg("--version").output();
    let valgrind = valgrind.context("valgrind cannot be run; run scripts/setup");
    if or_skip(valgrind).is_none() {
        return;
    }
    let program = program().unwrap();
    let measured = ROWS.map(|(row, work)| {
        let [few, many] = TIMES.map(|times| counts(&program, work, times).unwrap());
        let more = (TIMES[1] - TIMES[0]) as f64;
        let instructions = ((many.instructions - few.instructions) / more).round();
        (
            row,
            vec![instructions, (many.allocations - few.allocations) / more],
        )
    });
    let committed = Committed::read("instructions", "cargo test -p switchboard-counts").unwrap();
    let columns = ["instructions", "allocations"];
    committed.compare(&columns, &measured, BAR).unwrap();
}

/// The program in its own profile: `cargo test` has one that nobody optimised.
fn program() -> anyhow::Result<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .context("target")?;
    let build = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--quiet", "--profile", "counts"])
        .args(["--package", "switchboard-counts", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("RUSTFLAGS")
        .status()?;
    anyhow::ensure!(build.success(), "the program does not compile");
    Ok(target.join("counts/switchboard-counts"))
}

/// What callgrind counts while `program` does `work` so many times.
fn counts(program: &Path, work: &str, times: u64) -> anyhow::Result<Counts> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args([work, &times.to_string()])
        .env("GLIBC_TUNABLES", BASELINE)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{said}");
    read(&std::fs::read_to_string(out)?).with_context(|| format!("callgrind has no sum: {said}"))
}

/// The sum of a file of callgrind, and how often the functions of [`ALLOCATIONS`] are called in it.
fn read(file: &str) -> Option<Counts> {
    let (mut sum, mut allocations, mut is_allocation) = (None, 0.0, false);
    for line in file.lines() {
        if let Some(called) = line.strip_prefix("cfn=") {
            is_allocation = ALLOCATIONS.contains(&called);
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let times = calls
                .split(' ')
                .next()
                .and_then(|times| times.parse::<f64>().ok())?;
            allocations += if is_allocation { times } else { 0.0 };
        } else if let Some(totals) = line.strip_prefix("summary: ") {
            sum = totals.trim().parse().ok();
        }
    }
    Some(Counts {
        instructions: sum?,
        allocations,
    })
}

#[test]
fn a_file_of_callgrind_is_read() {
    let file = "events: Ir\nsummary: 120\n\nfn=main\n5 10\ncfn=malloc\ncalls=3 0\n5 60\ncfn=memcpy\ncalls=9 0\n\
                7 20\ncfn=realloc\ncalls=1 0\n7 30\n\ntotals: 120\n";
    let counts = read(file).unwrap();
    assert_eq!((counts.instructions, counts.allocations), (120.0, 4.0));
    assert!(read("events: Ir\n").is_none());
}
