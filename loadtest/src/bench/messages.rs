//! The ways a message can go, each beside the others in every repeat; the open-loop ones across nodes with
//! the raw-Redis floor right after them, at the same rate and spacing.

use hdrhistogram::Histogram;

use super::{
    Size,
    bars::{self, Bar},
    floor,
    flow::{Flow, FlowResult, Pace, Promise, new_histogram},
    report::Report,
    spacing::Spacing,
    stage::{Node, Stage},
};

/// The rate of the open-loop runs, in messages a second.
const RATE: f64 = 5_000.0;

/// Pairs of the open-loop runs, and of the saturated ones with their window.
const OPEN_PAIRS: usize = 50;
const SATURATED_PAIRS: usize = 64;
const WINDOW: usize = 16;

/// One way, and what was found on it.
struct Way<'a> {
    bar: Bar,
    to: &'a Node,
    pace: Pace,
    promise: Promise,
    /// What the latency adds to the floor's at p50 and p99; of the ways that have a floor beside them.
    added: Option<(Bar, Bar)>,
    results: Vec<FlowResult>,
    floors: Vec<Histogram<u64>>,
}

impl<'a> Way<'a> {
    fn new(bar: Bar, to: &'a Node, pace: Pace, added: Option<(Bar, Bar)>) -> Self {
        Self {
            bar,
            to,
            pace,
            promise: Promise::FinalWord,
            added,
            results: Vec::new(),
            floors: Vec::new(),
        }
    }

    async fn repeat(&mut self, stage: &Stage, from: &Node, size: &Size, tag: String) -> anyhow::Result<()> {
        let flow = Flow {
            from,
            to: self.to,
            pairs: match self.pace {
                Pace::Open(..) => OPEN_PAIRS,
                Pace::Window(_) => SATURATED_PAIRS,
            },
            pace: self.pace,
            promise: self.promise,
            span: size.span,
            tag,
        };
        self.results.push(flow.run(stage).await?);
        if let (Some(_), Pace::Open(rate, spacing)) = (self.added, self.pace) {
            self.floors
                .push(floor::run(stage.redis_port(), rate, spacing, size.span).await?);
        }
        Ok(())
    }

    fn report(&self, report: &mut Report) -> anyhow::Result<()> {
        let Some(last) = self.results.last() else {
            return Ok(());
        };
        report.wrong += self.results.iter().map(|result| result.wrong).sum::<u64>();
        report.figure(
            self.bar,
            self.results.iter().map(|result| result.node_micros).collect(),
        );
        report.note(format!(
            "{}: {:.0} messages/s, {:.2} Redis commands a message, beside it Redis {:.1} and the generator {:.1} µs CPU a message ({} messages in the last repeat)",
            self.bar.figure, last.per_second, last.redis_commands, last.redis_micros, last.own_micros, last.messages
        ));
        let Some((p50, p99)) = self.added else {
            return Ok(());
        };
        for (bar, quantile) in [(p50, 0.5), (p99, 0.99)] {
            let pairs = self.results.iter().zip(&self.floors);
            let added = pairs.map(|(ours, floor)| micros(&ours.one_way, quantile) - micros(floor, quantile));
            report.figure(bar, added.collect());
        }
        let ours = summary(self.results.iter().map(|result| &result.one_way))?;
        report.note(format!(
            "{}, one way from the intended moment: {ours}",
            self.bar.figure
        ));
        report.note(format!(
            "raw Redis PUBLISH → SUBSCRIBE beside it: {}",
            summary(self.floors.iter())?
        ));
        Ok(())
    }
}

/// Measures every way `size.repeats` times between the stage's two nodes.
pub(crate) async fn run(stage: &Stage, size: &Size, report: &mut Report) -> anyhow::Result<()> {
    let (n1, n2) = (stage.node(0)?, stage.node(1)?);
    let (n1, n2) = (&n1, &n2);
    let open = |spacing| Pace::Open(RATE, spacing);
    let full = Pace::Window(WINDOW);
    let ticks = Some((bars::ADDED_P50, bars::ADDED_P99));
    let evenly = Some((bars::ADDED_EVEN_P50, bars::ADDED_EVEN_P99));
    let mut ways = [
        Way::new(bars::SAME_5K, n1, open(Spacing::Ticks), None),
        Way::new(bars::SAME_EVEN, n1, open(Spacing::Even), None),
        Way::new(bars::SAME_SATURATED, n1, full, None),
        Way::new(bars::CROSS_5K, n2, open(Spacing::Ticks), ticks),
        Way {
            promise: Promise::Nothing,
            ..Way::new(bars::CROSS_PLAIN, n2, open(Spacing::Ticks), None)
        },
        Way::new(bars::CROSS_EVEN, n2, open(Spacing::Even), evenly),
        Way::new(bars::CROSS_SATURATED, n2, full, None),
    ];
    for repeat in 0..size.repeats {
        for (index, way) in ways.iter_mut().enumerate() {
            way.repeat(stage, n1, size, format!("{repeat}-{index}")).await?;
        }
        println!("  repeat {} of {}", repeat + 1, size.repeats);
    }
    ways.iter().try_for_each(|way| way.report(report))
}

fn summary<'a>(histograms: impl Iterator<Item = &'a Histogram<u64>>) -> anyhow::Result<String> {
    let mut all = new_histogram()?;
    for histogram in histograms {
        all.add(histogram)?;
    }
    let at = |quantile| micros(&all, quantile);
    Ok(format!(
        "p50 {:.0} µs, p99 {:.0} µs, p99.9 {:.0} µs",
        at(0.5),
        at(0.99),
        at(0.999)
    ))
}

fn micros(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}
