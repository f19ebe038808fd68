//! `switchboard top`: the state of the cluster in a terminal, asked and drawn again and again. Not the asking (`status`), not the
//! terminal (`screen`).

use std::{sync::Arc, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use super::{
    runtime,
    screen::Screen,
    status::{Questions, require_answer},
};
use crate::{
    cli,
    status::{Status, lines},
};

/// What ends the program: `q`, and Ctrl-C as the terminal sends it.
const QUIT: [u8; 2] = [b'q', 3];

pub(super) fn run(top: cli::Top) -> anyhow::Result<()> {
    let questions = Arc::new(Questions::new(&top.nodes)?);
    // A wrong token or URL ends the command before anything is drawn.
    let first = questions.ask();
    require_answer(&first)?;
    runtime::run(async move {
        match Screen::open() {
            Some(screen) => draw(&screen, questions, first, top.every).await,
            None => {
                println!("{}", lines(&first).join("\n"));
                Ok(())
            }
        }
    })
}

/// Draws until the operator has seen enough.
async fn draw(
    screen: &Screen,
    questions: Arc<Questions>,
    first: Status,
    every: Duration,
) -> anyhow::Result<()> {
    let last = format!("q quits · asked every {:.1} s", every.as_secs_f64());
    let mut keys = screen.keys();
    let (mut terminate, mut interrupt, mut resized) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::window_change())?,
    );
    // One answer: the next question waits until it is drawn.
    let (answers, mut answered) = mpsc::channel(1);
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut picture, mut is_asking) = (lines(&first), false);
    loop {
        screen.draw(&picture, &last)?;
        tokio::select! {
            Some(key) = keys.recv() => if QUIT.contains(&key) { return Ok(()) },
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = resized.recv() => {}
            _ = ticks.tick(), if !is_asking => {
                is_asking = true;
                let (questions, answers) = (Arc::clone(&questions), answers.clone());
                // Owner: this loop, which waits for its answer. A question ends by its deadline.
                tokio::task::spawn_blocking(move || {
                    let _ = answers.blocking_send(questions.ask());
                });
            }
            Some(status) = answered.recv() => {
                is_asking = false;
                picture = lines(&status);
            }
        }
    }
}
