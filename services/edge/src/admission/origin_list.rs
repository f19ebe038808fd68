//! `server.allowed_origins` as operators write it: read once, and refused with the right spelling where an entry can never
//! match. Not the decision on a request (`origin`).

use url::Url;

use super::page_origin::{Origin, default_port, host_and_port};

/// The origins whose pages may connect.
#[derive(Debug, Clone, Default)]
pub struct Origins(Vec<Entry>);

#[derive(Debug, Clone)]
enum Entry {
    /// `*`.
    Any,
    /// `null`: a sandboxed page, a `data:` URL, mostly also a page from a file.
    Null,
    /// One origin.
    One(Origin),
    /// `https://*.example.com`: one label or more before the host.
    Below(Origin),
    /// `http://localhost:*`: every port of the host.
    AnyPort(Origin),
}

impl Origins {
    /// Reads the list.
    ///
    /// # Errors
    /// For an entry that can never match: the mistake, and the right spelling.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        entries
            .iter()
            .map(|entry| parse(entry))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether `null` is allowed, which every sandboxed page of any site has.
    #[must_use]
    pub fn allows_null(&self) -> bool {
        self.0.iter().any(|entry| matches!(entry, Entry::Null))
    }

    /// Whether the list has the origin `text`.
    pub(crate) fn lists(&self, text: &str) -> bool {
        let origin = Origin::parse(text);
        self.0.iter().any(|entry| match (entry, &origin) {
            (Entry::Any, _) => true,
            (Entry::Null, _) => text == "null",
            (Entry::One(_) | Entry::Below(_) | Entry::AnyPort(_), None) => false,
            (Entry::One(one), Some(origin)) => one == origin,
            (Entry::AnyPort(any), Some(origin)) => (&any.scheme, &any.host) == (&origin.scheme, &origin.host),
            (Entry::Below(below), Some(origin)) => {
                let before = origin.host.strip_suffix(&below.host);
                let labels = before.and_then(|before| before.strip_suffix('.'));
                (&below.scheme, below.port) == (&origin.scheme, origin.port)
                    && labels.is_some_and(|labels| !labels.is_empty())
            }
        })
    }
}

fn parse(entry: &str) -> Result<Entry, String> {
    let wrong = |why: &str| Err(format!("`{entry}` {why}"));
    let trimmed = entry.trim();
    if trimmed != entry {
        return wrong(&format!("has spaces around it; write `{trimmed}`"));
    }
    match entry {
        "*" => return Ok(Entry::Any),
        "null" => return Ok(Entry::Null),
        _ => {}
    }
    if entry.contains(',') {
        let parts: Vec<_> = entry
            .split(',')
            .map(|part| format!("\"{}\"", part.trim()))
            .collect();
        return wrong(&format!(
            "is several origins in one entry; write {}",
            parts.join(", ")
        ));
    }
    let Some((scheme, rest)) = entry.split_once("://") else {
        return wrong(&format!(
            "is not an origin; write scheme and host, `https://{entry}`"
        ));
    };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || "+-.".contains(each));
    if !is_scheme {
        return wrong("has no scheme; write scheme and host, `https://app.example`");
    }
    let scheme = scheme.to_ascii_lowercase();
    if let Some(page) = match scheme.as_str() {
        "ws" => Some("http"),
        "wss" => Some("https"),
        _ => None,
    } {
        return wrong(&format!("is not a page's origin; the page has `{page}://{rest}`"));
    }
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(host_end);
    if !path.is_empty() {
        return wrong(&format!(
            "has a path, which no origin has; write `{scheme}://{host}`"
        ));
    }
    if host.contains('@') {
        let host = host.rsplit('@').next().unwrap_or_default();
        return wrong(&format!(
            "has a user, which no origin has; write `{scheme}://{host}`"
        ));
    }
    let (is_below, host) = match host.strip_prefix("*.") {
        Some(host) => (true, host),
        None => (false, host),
    };
    let (host, ports) = match host.strip_suffix(":*") {
        Some(host) if !is_below => (host, ":*"),
        _ => (host, ""),
    };
    if !ports.is_empty() && host_and_port(host).is_none_or(|(_, port)| port.is_some()) {
        return wrong("names a port and any port; write one of them");
    }
    if host.contains('*') {
        return wrong(
            "has a `*` that matches nothing; it stands for whole labels in front, `https://*.example.com`, or for the \
             port, `http://localhost:*`",
        );
    }
    let is_web = default_port(&scheme).is_some();
    if host.chars().any(|each| !each.is_ascii_graphic()) || (is_web && host.contains('%')) {
        let star = if is_below { "*." } else { "" };
        return match web_host(&scheme, host) {
            Some(ascii) => wrong(&format!(
                "is not how a browser sends it; write `{scheme}://{star}{ascii}{ports}`"
            )),
            None => wrong("has characters that no host has"),
        };
    }
    if is_web && (host.is_empty() || host.starts_with([':', '.'])) || is_below && host.is_empty() {
        return wrong("names no host; write `https://app.example`");
    }
    let Some(origin) = Origin::parse(&format!("{scheme}://{host}")) else {
        return wrong("has a port that is no number from 1 to 65535");
    };
    if origin.port == Some(0) {
        return wrong("has a port that is no number from 1 to 65535");
    }
    match web_host(&scheme, host) {
        // `http://127.1` is sent as `http://127.0.0.1`.
        Some(sent) if is_web && Origin::parse(&format!("{scheme}://{sent}")) != Some(origin.clone()) => {
            wrong(&format!(
                "is not how a browser sends it; write `{scheme}://{sent}{ports}`"
            ))
        }
        None if is_web => wrong("has a host that no browser accepts"),
        Some(_) | None if is_below => Ok(Entry::Below(origin)),
        Some(_) | None if !ports.is_empty() => Ok(Entry::AnyPort(origin)),
        Some(_) | None => Ok(Entry::One(origin)),
    }
}

/// A host of the web with its port as a browser sends it.
fn web_host(scheme: &str, host: &str) -> Option<String> {
    let url = Url::parse(&format!("{scheme}://{host}")).ok()?;
    let host = url.host_str()?;
    Some(
        url.port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(entries: &[&str]) -> Result<Origins, String> {
        Origins::parse(
            &entries
                .iter()
                .map(|entry| (*entry).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn a_wildcard_matches_one_label_or_more_and_nothing_else() {
        let list = origins(&["https://*.app.example", "http://*.dev.example:3000"]).unwrap();
        for yes in [
            "https://eu.app.example",
            "https://a.b.app.example",
            "https://EU.app.example:443",
            "http://x.dev.example:3000",
        ] {
            assert!(list.lists(yes), "{yes}");
        }
        for no in [
            "https://app.example",
            "https://.app.example",
            "https://evilapp.example",
            "http://eu.app.example",
            "https://eu.app.example:8443",
            "https://eu.app.example.evil",
            "http://x.dev.example",
            "null",
        ] {
            assert!(!list.lists(no), "{no}");
        }
    }

    #[test]
    fn any_port_of_a_host_matches_and_no_other_host() {
        let list = origins(&["http://localhost:*", "http://[::1]:*"]).unwrap();
        for yes in ["http://localhost:5173", "http://LOCALHOST", "http://[::1]:3000"] {
            assert!(list.lists(yes), "{yes}");
        }
        for no in [
            "https://localhost:5173",
            "http://127.0.0.1:5173",
            "http://localhost.evil.example:5173",
            "http://localhost:5173.evil.example",
            "http://evil.example:5173",
            "null",
        ] {
            assert!(!list.lists(no), "{no}");
        }
    }

    #[test]
    fn origins_that_are_no_web_pages_can_be_allowed() {
        let all = [
            "null",
            "file://",
            "capacitor://localhost",
            "ionic://localhost",
            "chrome-extension://abcdefghijklmnop",
            "moz-extension://2c4e-9f",
            "tauri://localhost",
            "app://obsidian.md",
        ];
        let list = origins(&all).unwrap();
        for origin in all {
            assert!(list.lists(origin), "{origin}");
        }
        assert!(list.allows_null());
        assert!(!origins(&["*"]).unwrap().allows_null());
        assert!(!list.lists("capacitor://other"));
    }

    #[test]
    fn equal_origins_in_another_spelling_match() {
        let list = origins(&[
            "HTTPS://App.Example:443",
            "http://[::1]:8080",
            "http://localhost:80",
            "http://a.example:443",
        ])
        .unwrap();
        for yes in [
            "https://app.example",
            "http://[::1]:8080",
            "http://localhost",
            "http://a.example:443",
        ] {
            assert!(list.lists(yes), "{yes}");
        }
    }

    #[test]
    fn an_entry_that_can_never_match_is_refused_with_the_right_spelling() {
        for (entry, right) in [
            ("https://app.example/", "write `https://app.example`"),
            ("https://app.example/chat?x=1", "write `https://app.example`"),
            ("https://app.example#top", "write `https://app.example`"),
            ("wss://app.example", "`https://app.example`"),
            ("ws://app.example:3000", "`http://app.example:3000`"),
            (
                "https://a.example,https://b.example",
                "write \"https://a.example\", \"https://b.example\"",
            ),
            (" https://app.example", "write `https://app.example`"),
            ("https://app.example ", "write `https://app.example`"),
            ("https://bücher.example", "write `https://xn--bcher-kva.example`"),
            (
                "https://*.bücher.example",
                "write `https://*.xn--bcher-kva.example`",
            ),
            ("app.example", "`https://app.example`"),
            ("https://user@app.example", "write `https://app.example`"),
            ("https://app.*.example", "`https://*.example.com`"),
            ("https://*", "`https://*.example.com`"),
            ("https://", "names no host"),
            ("https://app.example:0", "port"),
            ("https://app.example:99999", "port"),
            ("http://127.1", "write `http://127.0.0.1`"),
            ("http://127.1:*", "write `http://127.0.0.1:*`"),
            ("https://*.app.example:*", "`http://localhost:*`"),
            ("http://localhost:80:*", "port"),
            ("", "is not an origin"),
            ("://x", "scheme"),
        ] {
            let problem = origins(&[entry]).unwrap_err();
            assert!(problem.contains(right), "{entry}: {problem}");
        }
    }
}
