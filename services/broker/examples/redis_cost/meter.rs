//! CPU time and memory of one Redis, as it says itself, and the table of both contenders.

use std::time::{Duration, Instant};

use switchboard_harness::{
    RedisServer,
    stats::{median, range},
};

/// How long Redis is watched with nothing to do: what a node does anyway is no cost of an operation.
const IDLE: Duration = Duration::from_secs(2);

/// One Redis.
pub(super) struct Meter {
    pub(super) server: RedisServer,
}

impl Meter {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let server = RedisServer::start().await?;
        Ok(Self { server })
    }

    /// CPU microseconds a second without work.
    pub(super) async fn idle(&self) -> anyhow::Result<f64> {
        let (before, since) = (self.cpu().await?, Instant::now());
        tokio::time::sleep(IDLE).await;
        Ok((self.cpu().await? - before) / since.elapsed().as_secs_f64())
    }

    /// CPU microseconds of some work, without those that Redis is busy anyway.
    pub(super) async fn cost(&self, idle: f64, work: impl Future<Output = ()>) -> anyhow::Result<f64> {
        let (before, since) = (self.cpu().await?, Instant::now());
        work.await;
        Ok(self.cpu().await? - before - idle * since.elapsed().as_secs_f64())
    }

    /// Bytes in use.
    pub(super) async fn memory(&self) -> anyhow::Result<f64> {
        self.field("memory", "used_memory:").await
    }

    async fn cpu(&self) -> anyhow::Result<f64> {
        let user = self.field("cpu", "used_cpu_user:").await?;
        let system = self.field("cpu", "used_cpu_sys:").await?;
        Ok((user + system) * 1e6)
    }

    async fn field(&self, section: &str, name: &str) -> anyhow::Result<f64> {
        let text: String = self.server.command(&["INFO", section]).await?;
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name));
        Ok(value
            .ok_or_else(|| anyhow::anyhow!("INFO has no {name}"))?
            .trim()
            .parse()?)
    }
}

/// The values of one row: of the floor, and of the node.
pub(super) struct Row {
    name: String,
    of: [(&'static str, Vec<f64>); 2],
}

/// Adds a value to its row.
pub(super) fn note(rows: &mut Vec<Row>, name: String, contender: &str, value: f64) {
    let index = rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
        let of = [("floor", Vec::new()), ("switchboard", Vec::new())];
        rows.push(Row { name, of });
        rows.len() - 1
    });
    for (of, values) in &mut rows[index].of {
        if *of == contender {
            values.push(value);
        }
    }
}

/// Prints the table, in Markdown.
pub(super) fn print(rows: &[Row]) {
    println!("| | floor | switchboard | ratio |\n| --- | --- | --- | --- |");
    for Row { name, of } in rows {
        let middle = of
            .each_ref()
            .map(|(_, values)| median(values).unwrap_or_default());
        let [floor, node] = of.each_ref().map(|(_, values)| {
            let (least, most) = range(values).unwrap_or_default();
            format!(
                "{:.1} ({least:.1} – {most:.1})",
                median(values).unwrap_or_default()
            )
        });
        println!("| {name} | {floor} | {node} | ×{:.2} |", middle[1] / middle[0]);
    }
}
