//! The table is complete: it has each call of the two documents and of the routes, and each command.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::table;

fn document(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn each_call_of_the_backend_api_has_a_row() {
    let rows = table::calls();
    let has_row = |call: &str| rows.iter().any(|row| row.what[0] == call);
    let openapi = document("openapi.json");
    let mut count = 0;
    for (path, calls) in openapi["paths"].as_object().unwrap() {
        for method in calls.as_object().unwrap().keys() {
            let call = format!("{} {path}", method.to_uppercase());
            assert!(has_row(&call), "docs/openapi.json has {call}, the table does not");
            count += 1;
        }
    }
    assert!(count > 2, "{openapi}");
}

#[test]
fn each_route_of_the_edge_has_a_row() {
    let paths: BTreeSet<_> = table::calls()
        .iter()
        .map(|row| row.what[0].split_once(' ').unwrap().1)
        .collect();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../edge/src");
    let mut count = 0;
    for file in ["routes.rs", "api/mod.rs"] {
        let text = fs::read_to_string(source.join(file)).unwrap();
        for after in text.split(".route(\"").skip(1) {
            let path = after.split('"').next().unwrap();
            assert!(paths.contains(path), "{file} has {path}, the table does not");
            count += 1;
        }
    }
    assert_eq!(
        count, 8,
        "the routes stand elsewhere now, or there are more of them"
    );
}

#[test]
fn each_command_has_a_row() {
    let in_table: BTreeSet<_> = table::commands()
        .iter()
        .map(|row| row.what[0].to_owned())
        .collect();
    let asyncapi = document("asyncapi.json");
    let messages = asyncapi["components"]["messages"].as_object().unwrap();
    let in_protocol = messages.keys().filter_map(|name| name.strip_prefix("command-"));
    let in_protocol: BTreeSet<_> = in_protocol.map(str::to_owned).collect();
    assert_eq!(in_table, in_protocol);
}
