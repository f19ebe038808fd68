//! Where it was run and what was run: machine, versions, notes, the scenario, the files beside the page.

use maud::{Markup, html};

use super::words;
use crate::results::{Environment, Results};

/// The machine, the programs and what is to be known about fairness.
pub(super) fn environment(environment: &Environment) -> Markup {
    #[expect(clippy::cast_precision_loss, reason = "for reading")]
    let memory = words::memory(environment.memory_mib as f64 * 1024.0);
    let commit = environment.commit.as_deref().unwrap_or("unknown commit");
    html! {
        h2 { "Environment" }
        dl.facts {
            dt { "Load generator" } dd { (environment.version) " " span.soft { (commit) } }
            dt { "Processor" } dd { (environment.cpu) " " span.soft { (environment.cores) " cores usable" } }
            dt { "Memory" } dd { (memory) }
            dt { "Kernel" } dd { (environment.kernel) }
            dt { "Open files" } dd { (words::count(environment.open_files_limit)) " for a process" }
            @for (server, version) in &environment.servers { dt { (server) } dd { (version) } }
        }
        @if !environment.notes.is_empty() {
            h3 { "Notes" }
            ul { @for note in &environment.notes { li { (note) } } }
        }
    }
}

/// The scenario as it was run.
pub(super) fn scenario(results: &Results) -> Markup {
    // What TOML cannot say (null) is shown as JSON.
    let text = toml::to_string_pretty(&results.scenario)
        .or_else(|_| serde_json::to_string_pretty(&results.scenario))
        .unwrap_or_default();
    html! {
        details {
            summary { "The scenario as it was run" }
            pre { code { (text) } }
        }
    }
}

/// The files that were written beside the page.
pub(super) fn files(names: &[&str]) -> Markup {
    html! {
        p.hint { "Beside this page: "
            @for (index, name) in names.iter().enumerate() {
                @if index > 0 { ", " }
                a href=(name) { (name) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_scenario_is_shown_even_if_toml_cannot_say_it() {
        let mut results = sample::results();
        assert!(scenario(&results).into_string().contains("[calls]"));
        results.scenario = serde_json::json!({"name": null});
        assert!(
            scenario(&results)
                .into_string()
                .contains("&quot;name&quot;: null")
        );
    }
}
