//! `docs/benchmarks.md` and `docs/benchmarks-redis.md`: the results of a benchmark, as a page.

use super::figures::Figures;
use crate::results::Environment;

/// The picture in the page's folder. `loadtest/picture.mjs` draws it from a report.
const PICTURE: &str = "img/benchmarks.svg";

/// The page.
pub(super) fn text(figures: &Figures, tables: &[String], environment: &Environment, repeats: u32) -> String {
    format!(
        "# Benchmarks\n\n`make bench` writes this page; do not edit it. Figures are medians of {repeats} repeats, in which the rows \
         alternate. The smallest and the largest value follow in brackets, then the ratio to the first row. One machine carries \
         servers, Redis and generator: {} × {}, {} GiB, {}. Read ratios, not absolute values. [performance.md](performance.md) \
         explains the figures and where the time goes. [rivals.md](rivals.md) describes the other servers and their \
         configuration.\n\n![Switchboard, calls across two nodes: percentiles and timeline of the first repeat]({PICTURE})\n\n\
         ## Comparison\n\n{}\n## What a connection and a message cost\n\n{}\nCommit {}; {}.\n",
        environment.cores,
        environment.cpu,
        (environment.memory_mib + 512) / 1024,
        environment.kernel,
        tables.join("\n"),
        figures.markdown(),
        environment.commit.as_deref().unwrap_or("unknown"),
        versions(environment)
    )
}

/// The page of the modes of Redis.
pub(super) fn modes_text(tables: &[String], environment: &Environment, repeats: u32) -> String {
    format!(
        "# Modes of Redis, compared\n\n`make bench-redis` writes this page; do not edit it. Figures are medians of {repeats} \
         repeats, in which the rows alternate. The smallest and the largest value follow in brackets, then the ratio to the first \
         row. Nodes, all Redis servers and the generator share one machine: {} × {}, {} GiB, {}. So more servers do not mean more \
         cores here: read the CPU for a message, and how it is spread, as the result, not the messages per second. \
         `redis-1` is the first of several servers.\n\n{}\nCommit {}; {}.\n",
        environment.cores,
        environment.cpu,
        (environment.memory_mib + 512) / 1024,
        environment.kernel,
        tables.join("\n"),
        environment.commit.as_deref().unwrap_or("unknown"),
        versions(environment)
    )
}

fn versions(environment: &Environment) -> String {
    let versions = environment.servers.iter();
    let versions: Vec<String> = versions
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    versions.join(", ")
}
