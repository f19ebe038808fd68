//! Documents in step with the code. Links are checked by `scripts/references`, figures by `scripts/figures`.

use std::collections::BTreeSet;

use switchboard_protocol::{CloseCode, ErrorCode, MessageKind};

use crate::{files_in, root, source};

#[test]
fn the_protocol_page_lists_every_code_and_type_of_the_protocol_crate() {
    let page = std::fs::read_to_string(root().join("docs/protocol.md")).unwrap();
    let lacks =
        |what: &str, text: &str| assert!(page.contains(text), "docs/protocol.md lacks the {what} {text}");
    for code in ErrorCode::ALL {
        lacks("error", &format!("| `{code}` |"));
    }
    for code in CloseCode::ALL {
        lacks("close code", &format!("| {} |", code.code()));
    }
    for kind in MessageKind::ALL {
        lacks("type", &format!("`{kind}`"));
    }
    let (events, commands) = (variants("pub enum Event"), variants("pub enum Command"));
    assert!(events.len() >= 8 && commands.len() >= 5, "the variants are found");
    // `Send` stands for the kinds above.
    for name in events.union(&commands).filter(|name| *name != "send") {
        lacks("type", &format!("`{name}`"));
    }
}

/// The variants of an enum of the protocol crate, as they stand on the wire.
fn variants(head: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in files_in(&root().join("services/protocol/src"), &[".rs"]) {
        let code = source::code(&std::fs::read_to_string(path).unwrap());
        let Some((_, body)) = code.split_once(head) else {
            continue;
        };
        let body = body.split("\n}").next().unwrap();
        // A variant stands four blanks in, its fields eight.
        let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
        let names = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
        found.extend(names.map(|line| {
            let name = line
                .split(|symbol: char| !symbol.is_alphanumeric())
                .next()
                .unwrap();
            kebab(name)
        }));
    }
    found
}

/// `PeerJoined` as it stands on the wire: `peer-joined`.
fn kebab(variant: &str) -> String {
    let mut out = String::new();
    for symbol in variant.chars() {
        if symbol.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(symbol.to_ascii_lowercase());
    }
    out
}
