//! Every call and every command with every kind of token, against a real node, as `table` demands it. A call or a command that is
//! not in the table fails the test.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod calls;
mod commands;
mod complete;
mod scene;
mod table;
mod tokens;

use scene::Scene;
use table::{RECEIVED_BY_BOB, REVOKED_IN_THE_END};

#[tokio::test(flavor = "multi_thread")]
async fn every_call_and_every_command_answers_each_kind_of_token_as_the_table_says() {
    let scene = Scene::start().await;
    let mut wrong = Vec::new();
    let mut cells = 0;
    let mut compare = |row: &table::Row, over: &str, kind: &str, expected: &str, found: String| {
        cells += 1;
        if found != expected {
            wrong.push(format!(
                "{:?}{over}, token `{kind}`: `{expected}` expected, `{found}` found",
                row.what
            ));
        }
    };
    for row in table::calls() {
        for (kind, expected) in row.cells() {
            compare(&row, "", kind, expected, calls::run(&scene, &row, kind).await);
        }
    }
    for row in table::commands() {
        for (kind, expected) in row.cells() {
            let found = commands::over_websocket(&scene, &row, kind).await;
            compare(&row, " over a WebSocket", kind, expected, found);
            let found = commands::over_polling(&scene, &row, kind).await;
            compare(&row, " over polling", kind, expected, found);
        }
    }
    assert!(wrong.is_empty(), "{} of {cells} cells: {wrong:#?}", wrong.len());
    assert_eq!(scene.revoked().await, REVOKED_IN_THE_END);
    assert_eq!(scene.received_by_bob().await, RECEIVED_BY_BOB);
    println!("{cells} cells");
}
