//! Whom to believe of several Sentinels. One that is cut off from the others names the old master for ever, so the answer
//! of the latest election counts, and it stays when only older answers come.

use super::ask::Answer;
use crate::redis::endpoint::Address;

/// The latest answer of each Sentinel, and the master that follows.
#[derive(Debug)]
pub(super) struct Election {
    /// None: it has not been asked yet.
    answers: Vec<Option<Result<Answer, String>>>,
    chosen: Option<Answer>,
}

impl Election {
    pub(super) fn new(sentinels: usize) -> Self {
        Self {
            answers: vec![None; sentinels],
            chosen: None,
        }
    }

    /// Sentinel `number` has answered, or why not. Returns the master, if it is another one than before.
    pub(super) fn note(&mut self, number: usize, answer: Result<Answer, String>) -> Option<Address> {
        self.answers[number] = Some(answer);
        let best = self.answered().max_by_key(|answer| answer.epoch)?.clone();
        let is_older = |chosen: &Answer| best.epoch < chosen.epoch;
        // Sentinels that were set up anew count their elections anew.
        if self.chosen.as_ref().is_some_and(is_older) && !self.is_majority() {
            return None;
        }
        let address = best.address.clone();
        let before = self.chosen.replace(best);
        (before.map(|before| before.address).as_ref() != Some(&address)).then_some(address)
    }

    fn answered(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().flatten().flatten()
    }

    fn is_majority(&self) -> bool {
        self.answered().count() * 2 > self.answers.len()
    }

    /// Why no Sentinel says anything, for people; `None` if one does, or may do.
    pub(super) fn silence(&self) -> Option<String> {
        let problem = |answer: &Option<Result<Answer, String>>| answer.clone().and_then(Result::err);
        let problems = self.answers.iter().map(problem);
        problems
            .collect::<Option<Vec<_>>>()
            .map(|problems| problems.join("; "))
    }

    /// Whether a Sentinel does not reach the master.
    pub(super) fn is_down(&self) -> bool {
        self.answered().any(|answer| answer.is_down)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(host: &str, epoch: u64) -> Result<Answer, String> {
        Ok(Answer {
            address: Address::of(host),
            epoch,
            is_down: false,
        })
    }

    #[test]
    fn a_sentinel_that_missed_the_election_is_not_believed() {
        let mut election = Election::new(3);
        assert_eq!(election.note(0, answer("old", 1)), Some(Address::of("old")));
        assert_eq!(election.note(1, answer("old", 1)), None);
        assert_eq!(election.note(2, answer("new", 2)), Some(Address::of("new")));
        assert_eq!(election.note(0, answer("old", 1)), None);
        let gone = || Err("gone".to_owned());
        assert_eq!((election.note(1, gone()), election.note(2, gone())), (None, None));
        assert_eq!(
            election.note(0, answer("old", 1)),
            None,
            "alone it proves nothing"
        );
        assert_eq!(election.silence(), None);
    }

    #[test]
    fn most_sentinels_are_believed_when_they_count_anew() {
        let mut election = Election::new(3);
        for number in 0..3 {
            election.note(number, answer("old", 9));
        }
        assert_eq!(election.note(0, answer("new", 0)), None);
        assert_eq!(election.note(1, answer("new", 0)), None);
        assert_eq!(election.note(2, answer("new", 0)), Some(Address::of("new")));
    }

    #[test]
    fn the_silence_of_all_is_explained_one_by_one() {
        let mut election = Election::new(2);
        election.note(0, Err("a:1 is no Sentinel".to_owned()));
        assert_eq!(election.silence(), None, "the other one may answer");
        election.note(1, Err("b:1 cannot be reached".to_owned()));
        let why = "a:1 is no Sentinel; b:1 cannot be reached";
        assert_eq!(election.silence().as_deref(), Some(why));
    }
}
