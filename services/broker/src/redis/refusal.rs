//! Why a Redis that answers takes no writes: the codes of its errors that concern every command, not only one.

/// The codes, with the words for people.
const CODES: [(&str, &str); 9] = [
    ("READONLY", "it is a replica"),
    ("MISCONF", "it cannot save to disk"),
    ("NOREPLICAS", "it has too few replicas"),
    ("OOM", "its memory is full"),
    ("LOADING", "it loads its data"),
    ("MASTERDOWN", "it is a replica without its master"),
    ("NOPERM", "the user of this node may not do that"),
    ("NOAUTH", "it asks for a password"),
    ("BUSY", "it is busy with a script"),
];

/// How the text of a missing right begins.
const SCRIPT_NOPERM: &str = "The user executing the script can't";

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    /// For people: the code, its meaning, and what Redis says.
    pub(crate) text: String,
}

impl Refusal {
    /// The reason in an error of Redis; `None` if the error concerns one command only. Redis 6 puts the code of a
    /// command in a script into the text.
    pub(crate) fn find(code: &str, details: Option<&str>) -> Option<Self> {
        let details = details.unwrap_or_default();
        // Redis 7.0 has no code for a right that is missing within a script.
        let code = if details.starts_with(SCRIPT_NOPERM) {
            "NOPERM"
        } else {
            code
        };
        let mut words = details
            .split_whitespace()
            .map(|word| word.trim_start_matches('-'));
        let (code, meaning) = CODES.into_iter().find(|(known, _)| *known == code).or_else(|| {
            (code == "ERR")
                .then(|| words.find_map(|word| CODES.into_iter().find(|(known, _)| *known == word)))?
        })?;
        Some(Self {
            code,
            text: format!("Redis refuses writes, because {meaning} ({code} {details})"),
        })
    }

    /// Whether another connection may lead to a server that takes writes.
    pub(crate) fn asks_for_another_server(&self) -> bool {
        matches!(self.code, "READONLY" | "MASTERDOWN")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_concern_every_command_are_found_also_in_the_text_of_a_scripts_error() {
        let code = |code, details| Refusal::find(code, details).map(|refusal| refusal.code);
        assert_eq!(
            code("READONLY", Some("You can't write against a read only replica.")),
            Some("READONLY")
        );
        assert_eq!(code("OOM", None), Some("OOM"));
        let nested =
            "Error running script (call to f_1): @user_script:5: -MISCONF Redis is configured to save";
        assert_eq!(code("ERR", Some(nested)), Some("MISCONF"));
        let noperm = "The user executing the script can't run this command or subcommand script: 1";
        assert_eq!(code("ERR", Some(noperm)), Some("NOPERM"));
        assert_eq!(code("ERR", Some("wrong number of arguments")), None);
        assert_eq!(code("WRONGTYPE", Some("OOM is only a word here")), None);
    }

    #[test]
    fn a_refusal_says_what_it_means() {
        let refusal = Refusal::find("MISCONF", Some("Errors writing to the AOF file")).unwrap();
        assert_eq!(
            refusal.text,
            "Redis refuses writes, because it cannot save to disk (MISCONF Errors writing to the AOF file)"
        );
        assert!(!refusal.asks_for_another_server());
    }
}
