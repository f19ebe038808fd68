//! What the servers used, what it cost, and how busy the generator was.

use maud::{Markup, html};

use super::words;
use crate::results::{Results, RunResult, ServerUse};

/// With fewer connections a division of memory by connections says nothing.
const LEAST_CONNECTIONS: u64 = 100;

/// From this share of a core on, the busiest worker is suspect.
const BUSY_SHARE: f64 = 0.8;

/// The servers of a run.
pub(super) fn servers(run: &RunResult) -> Markup {
    html! {
        @if !run.servers.is_empty() {
            h3 { "Servers" }
            div.scroll { table {
                thead { tr {
                    th { "Server" } th.number { "CPU time" } th.number { "Cores, mean" }
                    th.number { "Memory before" } th.number { "Most" } th.number { "At the end" }
                    th.number { "Connections" } th.number { "Memory per connection" }
                } }
                tbody { @for server in &run.servers {
                    tr {
                        th scope="row" { (words::label(&server.name, 40)) }
                        td.number { (words::seconds(server.cpu_s)) }
                        td.number { (words::number(server.cpu_s / run.load_s)) }
                        td.number { (words::memory(server.resident_before_kib)) }
                        td.number { (words::memory(server.resident_most_kib)) }
                        td.number { (words::memory(server.resident_after_kib)) }
                        td.number { (words::count(server.connections)) }
                        td.number { (per_connection(server)) }
                    }
                } }
            } }
        }
        @if !run.costs.is_empty() {
            div.scroll { table {
                tbody { @for (name, value) in &run.costs {
                    tr { th scope="row" { (words::key(name)) } td.number { (words::number(*value)) } }
                } }
            } }
        }
        @for server in run.servers.iter().filter(|server| !server.metrics.is_empty()) {
            details {
                summary { "What " code { "/metrics" } " of " (words::label(&server.name, 40)) " counted over the load" }
                div.scroll { table { tbody { @for (series, change) in &server.metrics {
                    tr { td { code { (series) } } td.number { (words::number(*change)) } }
                } } } }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for reading")]
fn per_connection(server: &ServerUse) -> String {
    if server.connections < LEAST_CONNECTIONS {
        return words::NONE.to_owned();
    }
    let more = server.resident_after_kib - server.resident_before_kib;
    words::memory((more / server.connections as f64).max(0.0))
}

/// The generator of a run, with how to read it.
pub(super) fn generator(results: &Results, run: &RunResult) -> Markup {
    let used = &run.generator;
    let limit = |name: &str| results.scenario.get("generator")?.get(name);
    let max_start_delay = limit("max_start_delay").and_then(|slip| slip.as_str());
    let max_dropped = limit("max_dropped").and_then(serde_json::Value::as_f64);
    let share = used.busiest_core_share.clamp(0.0, 1.0) * 100.0;
    let is_busy = used.busiest_core_share > BUSY_SHARE;
    html! {
        h3 { "Generator" }
        div.scroll { table { tbody {
            tr {
                th scope="row" { "Busiest worker" }
                td.number { (words::percent(used.busiest_core_share)) }
                td { div.meter.bad[is_busy] { div style=(format!("width:{share:.0}%")) {} } }
                td.soft { "of one core" }
            }
            tr {
                th scope="row" { "Slip, p99" }
                td.number { (words::micros(used.slip_p99_us)) }
                td {}
                td.soft {
                    "how late starts were made"
                    @if let Some(most) = max_start_delay { "; invalid beyond " (most) }
                }
            }
            tr {
                th scope="row" { "Dropped" }
                td.number { (words::percent(used.dropped_share)) }
                td {}
                td.soft {
                    "of the planned starts were not made"
                    @if let Some(most) = max_dropped { "; invalid beyond " (words::percent(most)) }
                }
            }
            tr {
                th scope="row" { (used.workers) @if used.workers == 1 { " worker" } @else { " workers" } }
                td.number { (words::seconds(used.cpu_s)) }
                td {}
                td.soft { "of CPU, and at most " (words::memory(used.resident_most_kib)) " of memory" }
            }
        } } }
        p.hint {
            @if is_busy {
                "The generator was close to its own limit: part of the times above is its own. "
                "More workers, or agents on other machines, would tell."
            } @else {
                "The generator had room, so the times above are the servers' and the network's. "
                "A worker close to 100 %, or a slip near the times themselves, would mean that it measured itself."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_busy_generator_is_called_so() {
        let mut results = sample::results();
        assert!(
            generator(&results, &results.runs[0])
                .into_string()
                .contains("had room")
        );
        results.runs[0].generator.busiest_core_share = 0.97;
        let page = generator(&results, &results.runs[0]).into_string();
        assert!(page.contains("close to its own limit") && page.contains("invalid beyond 50ms"));
    }

    #[test]
    fn a_handful_of_connections_says_nothing_of_memory() {
        let server = sample::results().runs.remove(0).servers.remove(0);
        assert_eq!(per_connection(&server), "17.6 KiB");
        let few = ServerUse {
            connections: 12,
            ..server
        };
        assert_eq!(per_connection(&few), words::NONE);
    }
}
