//! Pages of a list: how many entries one has, and where the next one begins.

use http::StatusCode;
use serde::Deserialize;

use crate::problem::Problem;

/// Entries of a page, if the call names no number.
const DEFAULT_LIMIT: usize = 100;

/// Entries of a page, at most.
pub(super) const MAX_LIMIT: usize = 1_000;

/// Which page of a list.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageParameters {
    pub(super) cursor: Option<String>,
    pub(super) limit: Option<usize>,
}

/// The number of entries that a call wants.
pub(super) fn limit(wanted: Option<usize>) -> Result<usize, Problem> {
    match wanted {
        None => Ok(DEFAULT_LIMIT),
        Some(wanted) if (1..=MAX_LIMIT).contains(&wanted) => Ok(wanted),
        Some(_) => Err(Problem::bad_request(
            "bad-query",
            format!("`limit` is 1 to {MAX_LIMIT}"),
        )),
    }
}

/// The page of `sorted` entries that follows `cursor`, the name of the last entry of the page before; and its own cursor.
/// `is_name` tells a name from other text.
pub(super) fn of<T>(
    mut sorted: Vec<T>,
    name: impl Fn(&T) -> String,
    is_name: impl Fn(&str) -> bool,
    page: &PageParameters,
) -> Result<(Vec<T>, Option<String>), Problem> {
    let limit = limit(page.limit)?;
    let begin = match &page.cursor {
        None => 0,
        Some(cursor) if is_name(cursor) => sorted.partition_point(|entry| name(entry) <= *cursor),
        Some(_) => return Err(bad_cursor()),
    };
    sorted.drain(..begin);
    let has_more = sorted.len() > limit;
    sorted.truncate(limit);
    let next = sorted.last().filter(|_| has_more).map(name);
    Ok((sorted, next))
}

/// The cursor is one that no page has.
pub(super) fn bad_cursor() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "bad-cursor",
        "There is no such page",
        "`cursor` is not the `next` of a page of this list",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_a_list_once_and_the_last_one_says_so() {
        let list: Vec<_> = (10..35).collect();
        let mut page = PageParameters {
            cursor: None,
            limit: Some(10),
        };
        let is_number = |text: &str| text.parse::<i32>().is_ok();
        let mut seen = Vec::new();
        loop {
            let (entries, next) = of(list.clone(), i32::to_string, is_number, &page).unwrap();
            assert!(entries.len() <= 10);
            seen.extend(entries);
            match next {
                Some(next) => page.cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, list);
        page.cursor = Some("no number".into());
        assert!(of(list, i32::to_string, is_number, &page).is_err());
        assert!(limit(Some(0)).is_err() && limit(Some(MAX_LIMIT + 1)).is_err());
    }
}
