//! Documents in step with the code, and links that lead somewhere.

use std::{collections::BTreeSet, path::Path};

use switchboard_protocol::{CloseCode, ErrorCode, MessageKind};

use crate::{files_in, root, shown, source};

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
            line.split(|symbol: char| !symbol.is_alphanumeric())
                .next()
                .unwrap()
                .to_lowercase()
        }));
    }
    found
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for path in files_in(&root(), &[".md"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        for target in targets(&text) {
            if !leads_somewhere(&path, target) {
                broken.push(format!("{}: {target}", shown(&path)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The targets of links, without those outside of the repository.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let links = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next());
    links.filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
}

fn leads_somewhere(from: &Path, target: &str) -> bool {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let file = if file.is_empty() {
        from.to_owned()
    } else {
        from.parent().unwrap().join(file)
    };
    if heading.is_empty() || file.extension().is_none_or(|ending| ending != "md") {
        return file.exists();
    }
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(anchor).any(|anchor| anchor == heading)
}

/// A heading's name in links, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|symbol| symbol.is_alphanumeric() || " -_".contains(*symbol));
    kept.map(|symbol| if symbol == ' ' { '-' } else { symbol })
        .collect()
}
