//! A condition that lasts: when its log lines are due. Not its words, and not the state of the bus, whose causes change
//! (`shard::health_lines`).

use std::time::{Duration, Instant};

/// The time between two lines.
const REMIND_EVERY: Duration = Duration::from_secs(60);

/// One condition.
#[derive(Debug, Default)]
pub(crate) struct Lasting(Option<Since>);

#[derive(Debug)]
struct Since {
    began: Instant,
    logged_at: Instant,
}

/// A line that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Begins,
    /// How long it has lasted.
    Lasts(Duration),
    Ends(Duration),
}

impl Lasting {
    /// Notes whether it holds; returns the line that is due.
    pub(crate) fn note(&mut self, holds: bool, now: Instant) -> Option<Moment> {
        match (&mut self.0, holds) {
            (None, false) => None,
            (None, true) => {
                self.0 = Some(Since {
                    began: now,
                    logged_at: now,
                });
                Some(Moment::Begins)
            }
            (Some(since), true) => {
                let is_due = now - since.logged_at >= REMIND_EVERY;
                if is_due {
                    since.logged_at = now;
                }
                is_due.then(|| Moment::Lasts(now - since.began))
            }
            (Some(since), false) => {
                let lasted = now - since.began;
                self.0 = None;
                Some(Moment::Ends(lasted))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_has_a_line_at_its_beginning_one_a_minute_and_one_at_its_end() {
        let (mut lasting, start) = (Lasting::default(), Instant::now());
        let mut lines = Vec::new();
        for second in 0..200_u64 {
            let now = start + Duration::from_secs(second);
            if let Some(moment) = lasting.note((10..150).contains(&second), now) {
                lines.push((second, moment));
            }
        }
        let seconds = Duration::from_secs;
        assert_eq!(
            lines,
            [
                (10, Moment::Begins),
                (70, Moment::Lasts(seconds(60))),
                (130, Moment::Lasts(seconds(120))),
                (150, Moment::Ends(seconds(140)))
            ]
        );
    }
}
