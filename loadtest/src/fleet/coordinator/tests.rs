//! The coordinator over in-process workers, and over real processes.

use tokio::io::{AsyncRead, duplex, split};

use super::*;
use crate::{
    fleet::{
        lines::Lines,
        testing::{FakeWork, Fate, OBEDIENT, assignment, script},
        worker::serve,
    },
    record::Counter,
    scenario::Scenario,
};

/// A worker that is a task of this process.
fn hire(number: usize, fate: Fate) -> Member {
    let (here, there) = duplex(1 << 16);
    let (read, write) = split(there);
    tokio::spawn(serve(read, write, FakeWork::new(fate)));
    let (read, write) = split(here);
    let read: Box<dyn AsyncRead + Send + Unpin> = Box::new(read);
    let name = format!("worker {number}");
    Member {
        voice: Lines::new(read, &name),
        name,
        ear: Box::new(write),
        body: Body::Remote,
        clock_ahead_ms: 0,
    }
}

fn fleet(fates: &[Fate]) -> Fleet {
    let members = fates.iter().enumerate().map(|(number, fate)| hire(number, *fate));
    Fleet::of(members.collect(), Duration::from_millis(50), |_| assignment())
}

async fn processes(text: &str) -> Fleet {
    let crew = Crew::Local {
        workers: 2,
        program: script(text),
    };
    Fleet::start(crew, |_| assignment()).await.unwrap()
}

#[tokio::test]
async fn two_workers_are_prepared_started_heard_and_summed() {
    let mut fleet = fleet(&[Fate::Well, Fate::Well]);
    fleet.prepare().await.unwrap();
    let before = Instant::now();
    assert!(fleet.begin().await.unwrap() > before);
    fleet.ended().await.unwrap();
    let merged = fleet.finish().await.unwrap();
    assert!(!merged.samples().is_empty());
    let result = merged.into_run_result().unwrap();
    assert_eq!(result.counts[Counter::Connects.name()], 2);
    assert_eq!(result.counts[Counter::Sent.name()], 20);
    assert_eq!(result.times["one_way"].corrected.count, 20);
    let mut stories = result.violations;
    stories.sort();
    assert_eq!(stories, ["worker 0 has a story", "worker 1 has a story"]);
    assert_eq!(result.generator.workers, 2);
}

#[tokio::test]
async fn a_worker_that_fails_names_itself() {
    let mut fleet = fleet(&[Fate::Well, Fate::FailsRunning]);
    fleet.prepare().await.unwrap();
    fleet.begin().await.unwrap();
    let error = fleet.ended().await.unwrap_err().to_string();
    assert_eq!(error, "worker 1 failed: the legs hurt");
}

#[tokio::test]
async fn processes_are_led_through_a_run() {
    let mut fleet = processes(OBEDIENT).await;
    fleet.prepare().await.unwrap();
    fleet.begin().await.unwrap();
    fleet.ended().await.unwrap();
    fleet.finish().await.unwrap();
}

#[tokio::test]
async fn a_process_that_dies_names_itself_and_its_last_words() {
    let dies = r#"read prepare; echo '"ready"'; read start; echo "no legs" >&2; exit 3"#;
    let mut fleet = processes(dies).await;
    fleet.prepare().await.unwrap();
    fleet.begin().await.unwrap();
    let error = fleet.ended().await.unwrap_err().to_string();
    assert!(
        error.starts_with("worker ") && error.ends_with("died: exit status: 3; it said: no legs"),
        "{error}"
    );
}

#[tokio::test]
async fn a_process_that_speaks_nonsense_names_itself() {
    let mut fleet = processes("read prepare; echo hello; read start").await;
    let error = fleet.prepare().await.unwrap_err().to_string();
    assert!(error.contains("said a line that is not understood"), "{error}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let crew = Crew::Local {
        workers: 1,
        program: Program {
            path: "/nowhere/worker".into(),
            args: Vec::new(),
        },
    };
    let error = Fleet::start(crew, |_| assignment()).await.unwrap_err();
    assert!(error.to_string().contains("/nowhere/worker"), "{error:#}");
}

#[test]
fn the_scenario_of_the_kubernetes_job_can_be_read_and_names_its_agents() {
    let config = include_str!("../../../../deploy/loadtest/scenario.yaml");
    let (_, text) = config.split_once("scenario.toml: |\n").unwrap();
    let scenario: Scenario = toml::from_str(text).unwrap();
    let agents = include_str!("../../../../deploy/loadtest/agents.yaml");
    assert!(agents.contains(&format!("completions: {}\n", scenario.generator.agents.len())));
}
