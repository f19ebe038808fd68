//! Rivals beside Switchboard: the same calls, streams and idle peers for each, in turn in every repeat, with servers
//! of their own. Not what a message costs in detail: that is for `messages`.

use std::{collections::BTreeMap, ops::Range, path::Path};

use anyhow::Context as _;

use super::{
    Size,
    beside_table::{self, Table},
};
use crate::{
    fleet::Program,
    live::Live,
    report,
    results::Results,
    run::{self, Options},
    scenario::{self, Scenario},
};

/// Calls a second: what every contender holds on two cores.
const CALLS_PER_SECOND: u32 = 40;

/// Messages a second of the streams, over all pairs.
const MESSAGES_PER_SECOND: u32 = 2_000;

/// Idle connections of the rivals: enough to divide by, few enough for one Node process to take in time.
const RIVALS_IDLE: usize = 4_000;

/// Connects a second of the idle ones.
const RAMP: u32 = 1_000;

/// Who is loaded.
#[derive(Debug, Clone, Copy)]
struct Contender {
    name: &'static str,
    driver: &'static str,
    nodes: usize,
    placement: &'static str,
}

const OURS_ACROSS: Contender = contender("Switchboard, two nodes", "switchboard", 2, "cross-node");
const OURS_ALONE: Contender = contender("Switchboard, one node", "switchboard", 1, "same-node");
const SOCKETIO: Contender = contender(
    "socket.io + Redis adapter, two nodes",
    "socketio",
    2,
    "cross-node",
);
const PEERJS: Contender = contender("PeerServer, one node (it has no more)", "peerjs", 1, "same-node");
const FLOOR: Contender = contender(
    "raw Redis PUBLISH → SUBSCRIBE, the floor",
    "redis",
    1,
    "same-node",
);

const fn contender(
    name: &'static str,
    driver: &'static str,
    nodes: usize,
    placement: &'static str,
) -> Contender {
    Contender {
        name,
        driver,
        nodes,
        placement,
    }
}

/// One load for several contenders; the first one is what the others are compared with.
struct Match {
    title: &'static str,
    about: String,
    slug: &'static str,
    columns: Range<usize>,
    contenders: Vec<Contender>,
    /// The scenario's populations for a contender, in TOML.
    load: fn(&Contender, &Size) -> String,
}

fn matches(size: &Size) -> [Match; 3] {
    let seconds = size.beside.as_secs();
    [
        Match {
            title: "Calls",
            about: format!(
                "{CALLS_PER_SECOND} calls a second for {seconds} s (open model, Poisson): connect, offer of 2 to 8 KiB, answer, six candidates each way, bye. Call set-up counts from the moment the call was due until both have the other's description and first candidate."
            ),
            slug: "calls",
            columns: beside_table::OF_CALLS,
            contenders: vec![OURS_ACROSS, OURS_ALONE, SOCKETIO, PEERJS],
            load: |_, size| {
                format!(
                    "[calls]\nplacement = \"random\"\ntalk = \"300ms\"\nstages = [{{ rate = {CALLS_PER_SECOND}, for = \"{}s\" }}]\n",
                    size.beside.as_secs()
                )
            },
        },
        Match {
            title: "Messages",
            about: format!(
                "{MESSAGES_PER_SECOND} messages of 1.2 KiB a second for {seconds} s over 50 pairs, evenly spaced; Switchboard's with a final word each, the others' without, as they have none."
            ),
            slug: "messages",
            columns: beside_table::OF_MESSAGES,
            contenders: vec![OURS_ACROSS, OURS_ALONE, SOCKETIO, PEERJS, FLOOR],
            load: |_, size| {
                format!(
                    "[streams]\npairs = 50\nresume = false\narrivals = \"uniform\"\nplacement = \"random\"\nstages = [{{ rate = {MESSAGES_PER_SECOND}, for = \"{}s\" }}]\n",
                    size.beside.as_secs()
                )
            },
        },
        Match {
            title: "Idle connections",
            about: "One node; resident memory of its process over the connections it holds, after one message each.".to_owned(),
            slug: "idle",
            columns: beside_table::OF_IDLE,
            contenders: vec![
                OURS_ALONE,
                Contender { name: "socket.io, one node", nodes: 1, ..SOCKETIO },
                PEERJS,
            ],
            load: |contender, size| {
                let is_ours = contender.driver == "switchboard";
                let count = if is_ours { size.idle } else { size.idle.min(RIVALS_IDLE) };
                format!("[idle]\nconnections = {count}\nramp_per_second = {RAMP}.0\nhold = \"5s\"\n")
            },
        },
    ]
}

/// What came of it.
pub(super) struct Beside {
    pub(super) tables: Vec<Table>,
    /// Runs of Switchboard in which a message was lost, doubled and so on.
    pub(super) wrong: u64,
    /// KiB of each of Switchboard's idle connections, by repeat.
    pub(super) idle_kib: Vec<f64>,
    /// Of all servers.
    pub(super) versions: BTreeMap<String, String>,
}

/// Runs all matches; reports of every contender go below `folder`.
pub(super) async fn run(binary: &Path, size: &Size, folder: &Path) -> anyhow::Result<Beside> {
    let mut beside = Beside {
        tables: Vec::new(),
        wrong: 0,
        idle_kib: Vec::new(),
        versions: BTreeMap::new(),
    };
    for one in matches(size) {
        println!("{}, {} repeats", one.title, size.repeats);
        let mut all: Vec<Option<Results>> = one.contenders.iter().map(|_| None).collect();
        for repeat in 0..size.repeats {
            for (contender, results) in one.contenders.iter().zip(&mut all) {
                let found = once(contender, &one, size, binary).await;
                match (found, results) {
                    (Ok(found), Some(results)) => results.runs.extend(found.runs),
                    (Ok(found), results @ None) => *results = Some(found),
                    // A rival that is not installed must not keep us from the others.
                    (Err(error), _) if contender.driver != "switchboard" => {
                        println!("  {} is left out: {error:#}", contender.name);
                    }
                    (Err(error), _) => return Err(error),
                }
            }
            println!("  repeat {} of {}", repeat + 1, size.repeats);
        }
        let mut table = Table::new(one.title, one.about, one.columns);
        for (contender, results) in one.contenders.iter().zip(all) {
            let Some(results) = results else { continue };
            report::write(
                &results,
                &folder.join(format!("{}-{}-{}", one.slug, contender.driver, contender.nodes)),
            )?;
            table.add(contender.name, &results);
            beside.versions.extend(results.environment.servers.clone());
            if contender.driver == "switchboard" {
                beside.wrong += results
                    .runs
                    .iter()
                    .filter(|run| run.verdict.exit_code == run::EXIT_ORACLE)
                    .count() as u64;
            }
            if one.slug == "idle" && contender.driver == "switchboard" {
                let costs = results.runs.iter().map(|run| &run.costs);
                let kib = costs.filter_map(|costs| costs.get("kib_per_idle_connection").copied());
                beside.idle_kib = kib.collect();
            }
        }
        println!("\n{}", table.markdown());
        beside.tables.push(table);
    }
    Ok(beside)
}

async fn once(contender: &Contender, one: &Match, size: &Size, binary: &Path) -> anyhow::Result<Results> {
    let options = Options {
        program: Program::this()?,
        agent_secret: None,
        allow_remote: false,
    };
    let mut live = Live::silent();
    run::run(&scenario(contender, one, size, binary)?, &options, &mut live)
        .await
        .with_context(|| format!("{}: {}", one.title, contender.name))
}

fn scenario(contender: &Contender, one: &Match, size: &Size, binary: &Path) -> anyhow::Result<Scenario> {
    let Contender {
        name, driver, nodes, ..
    } = contender;
    let load = (one.load)(contender, size).replace("\"random\"", &format!("\"{}\"", contender.placement));
    let text = format!(
        "name = \"{}-{driver}\"\nabout = \"{}, {name}\"\nsettle = \"8s\"\n[target]\ndriver = \"{driver}\"\n[cluster]\nnodes = {nodes}\nbinary = {:?}\n{load}",
        one.slug,
        one.title,
        binary.display().to_string()
    );
    scenario::load(&text, &[])
}
