//! Results of a good run, and what `compare` makes of them.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{
    place,
    program::{Ended, Folder},
};

/// One short, good run, for all tests that only read it.
pub(crate) async fn short_calls() -> Arc<Ended> {
    static RUN: OnceCell<Arc<Ended>> = OnceCell::const_new();
    let run = async || {
        let _place = place().await;
        let more = [
            "--set",
            "calls.stages=[{rate=10,for=\"3s\"}]",
            "--set",
            "thresholds=[\"lost == 0\", \"share(calls_set_up/calls_started) == 100%\"]",
        ];
        Arc::new(Folder::new().load("calls", &more).await.expect(0))
    };
    Arc::clone(RUN.get_or_init(run).await)
}

fn slower(results: &Value) -> Value {
    let mut slower = results.clone();
    let p99 = &mut slower["runs"][0]["times"]["call_setup"]["corrected"]["p99_us"];
    *p99 = json!(p99.as_f64().unwrap() * 3.0);
    slower
}

#[tokio::test]
async fn compare_fails_on_what_got_worse() {
    let good = short_calls().await;
    let before = good.results_file().to_str().unwrap().to_owned();
    let gate = "p99(call_setup) > +10%";
    let compare = async |after: &Value, gate: &str, code: i32| {
        let folder = Folder::new();
        let after = folder.file("after.json", &after.to_string());
        let arguments = ["compare", &before, &after, "--fail-on", gate];
        folder.run(&arguments).await.expect(code).stdout
    };
    let same = good.results();
    compare(&same, gate, 0).await;
    let table = compare(&slower(&same), gate, 99).await;
    for word in [gate, "+200.0%"] {
        assert!(table.contains(word), "{word}: {table}");
    }
    compare(&slower(&same), "p50(call_setup) > +10%", 0).await;

    let mut newer = same.clone();
    newer["schema"] = json!(99);
    compare(&newer, gate, 2).await;
    compare(&same, "p99(call_stup) > +10%", 2).await;
}
