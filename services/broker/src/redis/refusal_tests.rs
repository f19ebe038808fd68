//! The table of the errors of Redis: each row, unknown codes, and nothing secret in the words.

use super::*;

fn reaction(code: &str, details: &str) -> Reaction {
    Refusal::of(RedisOp::Claim, code, Some(details)).reaction
}

#[test]
fn every_code_of_the_table_has_its_reaction_and_words_whatever_follows_it() {
    for row in &TABLE {
        let details = format!("before {} after", row.text);
        let refusal = Refusal::of(RedisOp::Claim, row.code, Some(&details));
        assert_eq!(refusal.reaction, row.reaction, "{} {}", row.code, row.text);
        let of_kind = if row.reaction == Reaction::WaitForKind {
            "claim: "
        } else {
            ""
        };
        let words = format!(
            "Redis refuses commands, because {} ({of_kind}{} {details})",
            row.meaning, row.code
        );
        assert_eq!(refusal.text(), words);
    }
}

#[test]
fn no_row_is_hidden_behind_an_earlier_one() {
    for (index, row) in TABLE.iter().enumerate() {
        let mut earlier = TABLE.iter().take(index);
        let hides = |one: &Row| one.code == row.code && row.text.contains(one.text);
        assert!(!earlier.any(hides), "{} {}", row.code, row.text);
    }
}

#[test]
fn an_error_that_nobody_knows_concerns_one_command_unless_that_cannot_be_wrong() {
    for code in ["NEWCODE", "", "ERR", "WRONGTYPE", "TRYAGAIN"] {
        assert_eq!(reaction(code, "whatever"), Reaction::Fail, "{code}");
        for op in [RedisOp::Lease, RedisOp::Publish] {
            let refusal = Refusal::of(op, code, Some("whatever"));
            assert_eq!(refusal.reaction, Reaction::WaitForKind, "{code}");
            assert!(refusal.text().contains(code) && refusal.text().contains("whatever"));
        }
    }
    let text = Refusal::of(RedisOp::Claim, "NEWCODE", None).text();
    assert!(text.contains("unknown to this version"), "{text}");
}

#[test]
fn a_code_is_found_also_in_the_text_of_a_scripts_error() {
    let nested = "Error running script (call to f_1): @user_script:5: -MISCONF Redis is configured to save";
    assert_eq!(reaction("ERR", nested), Reaction::Wait);
    let noperm = "The user executing the script can't run this command or subcommand script: 1";
    assert_eq!(reaction("ERR", noperm), Reaction::WaitForKind);
    assert_eq!(reaction("ERR", "wrong number of arguments"), Reaction::Fail);
    assert_eq!(reaction("WRONGTYPE", "-OOM is only a word here"), Reaction::Fail);
}

#[test]
fn an_error_on_a_connection_without_replies_is_explained_too() {
    for (error, meaning) in [
        ("ERR max number of clients reached", "`maxclients`"),
        (
            "WRONGPASS invalid username-password pair or user is disabled.",
            "the password is wrong",
        ),
        ("NOAUTH Authentication required.", "it asks for a password"),
        (
            "LOADING Redis is loading the dataset in memory",
            "it loads its data",
        ),
        ("DENIED Redis is running in protected mode", "protected mode"),
        ("SOMETHING", "unknown to this version"),
    ] {
        let refusal = Refusal::of_text(RedisOp::Subscribe, error.as_bytes());
        assert!(refusal.text().contains(meaning), "{}", refusal.text());
    }
}

#[test]
fn arguments_that_redis_repeats_are_not_shown() {
    let details = "unknown command 'AUTH', with args beginning with: 'alice' 'hunter2' ";
    let refusal = Refusal::of(RedisOp::Lease, "ERR", Some(details));
    assert!(!refusal.text().contains("hunter2"), "{}", refusal.text());
    assert!(
        refusal.text().contains("unknown command 'AUTH')"),
        "{}",
        refusal.text()
    );
    assert!(shown(&"ä".repeat(10_000)).chars().count() == MAX_SHOWN_CHARS);
}

#[test]
fn the_runbook_has_every_code_that_makes_a_node_wait() {
    let page = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/runbooks/SwitchboardRedisErrors.md"
    );
    let page = std::fs::read_to_string(page).unwrap();
    for row in &TABLE {
        let waits = !matches!(row.reaction, Reaction::Fail | Reaction::SendSource);
        let is_named = page.contains(&format!("`{}`", row.code)) || page.contains(row.meaning);
        assert!(!waits || row.code == "ERR" || is_named, "{}", row.code);
    }
}
