//! The coordinator over in-process workers, and over real processes.

use tokio::io::{AsyncRead, duplex, split};

use super::*;
use crate::{
    fleet::{
        lines::{Lines, MAX_LINE_BYTES},
        testing::{FakeWork, Fate, OBEDIENT, assignment, script},
        worker::serve,
    },
    record::Counter,
    scenario::Scenario,
};

/// A worker that is a task of this process.
fn task(number: usize, fate: Fate) -> Handle {
    let (here, there) = duplex(1 << 16);
    let (read, write) = split(there);
    tokio::spawn(serve(read, write, FakeWork::new(fate)));
    let (read, write) = split(here);
    let read: Box<dyn AsyncRead + Send + Unpin> = Box::new(read);
    let name = format!("worker {number}");
    let output = Lines::new(read, &name, MAX_LINE_BYTES);
    Handle {
        output,
        name,
        input: Box::new(write),
        process: None,
        clock_ahead_ms: 0,
    }
}

fn tasks(fates: &[Fate]) -> Fleet {
    let handles = fates.iter().enumerate().map(|(number, fate)| task(number, *fate));
    Fleet::of(handles.collect(), Duration::from_millis(50), |_| assignment())
}

async fn processes(program: Program) -> anyhow::Result<Fleet> {
    Fleet::start(WorkerSource::Local { workers: 2, program }, |_| assignment()).await
}

async fn lead(mut fleet: Fleet) -> anyhow::Result<Merged> {
    fleet.prepare().await?;
    fleet.begin().await?;
    fleet.ended().await?;
    fleet.finish().await
}

#[tokio::test]
async fn the_records_of_two_workers_are_summed() {
    let merged = lead(tasks(&[Fate::Well, Fate::Well])).await.unwrap();
    assert!(!merged.samples().is_empty());
    let result = merged.into_run_result().unwrap();
    assert_eq!(result.counts[Counter::Connects.name()], 2);
    assert_eq!(result.counts[Counter::Sent.name()], 20);
    assert_eq!(result.times["one_way"].corrected.count, 20);
    let mut violations = result.violations;
    violations.sort();
    assert_eq!(violations, ["a violation at worker 0", "a violation at worker 1"]);
    assert_eq!(result.generator.workers, 2);
}

#[tokio::test]
async fn a_worker_that_fails_or_dies_is_named_with_the_reason() {
    let error = lead(tasks(&[Fate::Well, Fate::FailsRunning])).await.unwrap_err();
    assert_eq!(error.to_string(), "worker 1 failed: as planned");
    for (text, expected) in [
        (
            r#"read prepare; echo '"ready"'; read start; echo "out of luck" >&2; exit 3"#,
            "died: exit status: 3; its standard error: out of luck",
        ),
        ("read prepare; echo hello; read start", "wrote an unknown line"),
    ] {
        let error = lead(processes(script(text)).await.unwrap())
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("worker ") && error.contains(expected),
            "{error}"
        );
    }
    let missing = Program {
        path: "/nowhere/worker".into(),
        args: Vec::new(),
    };
    let error = processes(missing).await.unwrap_err();
    assert!(error.to_string().contains("/nowhere/worker"), "{error:#}");
}

#[tokio::test]
async fn processes_are_led_through_a_run() {
    lead(processes(script(OBEDIENT)).await.unwrap()).await.unwrap();
}

#[test]
fn the_scenario_of_the_kubernetes_job_can_be_read_and_names_its_agents() {
    let config = include_str!("../../../../deploy/loadtest/scenario.yaml");
    let (_, text) = config.split_once("scenario.toml: |\n").unwrap();
    let scenario: Scenario = toml::from_str(text).unwrap();
    let agents = include_str!("../../../../deploy/loadtest/agents.yaml");
    assert!(agents.contains(&format!("completions: {}\n", scenario.generator.agents.len())));
}
