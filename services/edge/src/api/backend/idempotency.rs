//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a server repeats a send whose answer it did not get, and
//! reads the outcome of the first one, on any node. Without the header a send costs nothing of this.

use std::{sync::Arc, time::Duration};

use axum::extract::FromRequestParts;
use http::{HeaderMap, StatusCode, request::Parts};
use switchboard_core::CallRecords;
use switchboard_protocol::{ErrorCode, Mid, SendOutcome};
use xxhash_rust::xxh3::xxh3_128;

use super::{failure, sender::Progress};
use crate::{problem::Problem, state::Edge};

/// The header.
pub(super) const HEADER: &str = "idempotency-key";

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 128;

/// How long an outcome is remembered. The calls of a tenant within that time bound the records.
pub(super) const REMEMBERED_FOR: Duration = Duration::from_secs(300);

/// When to repeat a call whose first one is still under way.
const IN_USE_RETRY: Duration = Duration::from_secs(1);

/// The key of a call, if it has one.
pub(super) struct IdempotencyKey(Option<String>);

impl FromRequestParts<Arc<Edge>> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Edge>) -> Result<Self, Problem> {
        read(&parts.headers).map(Self)
    }
}

fn read(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let is_key =
        text.bytes().all(|byte| byte.is_ascii_graphic()) && (1..=MAX_KEY_BYTES).contains(&text.len());
    match is_key && values.next().is_none() {
        true => Ok(Some(text.to_owned())),
        false => Err(Problem::bad_request(
            "bad-idempotency-key",
            format!("`Idempotency-Key` is once 1 to {MAX_KEY_BYTES} visible ASCII characters"),
        )),
    }
}

impl IdempotencyKey {
    /// Begins a call of `tenant`, unless the key was used before. `request` is all that tells calls apart.
    pub(super) async fn begin(
        self,
        records: &Arc<dyn CallRecords>,
        tenant: &str,
        request: &[&[u8]],
        patience: Duration,
    ) -> Result<Begun, Problem> {
        let Self(Some(key)) = self else {
            return Ok(Begun::First(None));
        };
        let noted = NotedCall {
            records: Arc::clone(records),
            name: format!("{tenant}/{key}"),
            request: format!("{:032x}", xxh3_128(&request.join(&0))),
        };
        let pending = format!("{} pending", noted.request);
        let earlier = records.begin(noted.name.clone(), pending, patience).await;
        let earlier = earlier.map_err(|_| failure::of(ErrorCode::BusUnavailable))?;
        let Some(earlier) = earlier else {
            return Ok(Begun::First(Some(noted)));
        };
        match earlier.strip_prefix(&noted.request) {
            None => Err(reused()),
            Some(state) => parse(state).map_or_else(|| Err(in_use()), |sent| Ok(Begun::Before(sent))),
        }
    }
}

/// Whether a call is carried out.
pub(super) enum Begun {
    /// Yes; its progress is to be noted, if it has a key.
    First(Option<NotedCall>),
    /// No: this was the progress of the first one.
    Before((String, Progress)),
}

/// A call under way, whose record other nodes read.
pub(super) struct NotedCall {
    records: Arc<dyn CallRecords>,
    name: String,
    request: String,
}

impl NotedCall {
    /// Notes how far the send has come.
    pub(super) async fn note(&self, mid: &Mid, progress: Progress) {
        let state = match progress {
            Progress::Pending => return,
            // It was refused at once: a repetition may succeed.
            Progress::Ended(SendOutcome::Error(ErrorCode::RateLimited)) => return self.forget().await,
            Progress::Queued => "queued",
            Progress::Ended(SendOutcome::Delivered) => "delivered",
            Progress::Ended(SendOutcome::Published) => "published",
            Progress::Ended(SendOutcome::Error(code)) => code.as_str(),
        };
        let record = format!("{} {state} {mid}", self.request);
        let noted = self
            .records
            .replace(self.name.clone(), record, REMEMBERED_FOR)
            .await;
        if let Err(error) = noted {
            tracing::debug!(%error, "the outcome of a call is not noted");
        }
    }

    async fn forget(&self) {
        if let Err(error) = self.records.remove(self.name.clone()).await {
            tracing::debug!(%error, "the record of a refused call stays until its end");
        }
    }
}

/// The progress in a record, after its request; `None` while the first call is under way.
fn parse(state: &str) -> Option<(String, Progress)> {
    let (state, mid) = state.trim_start().split_once(' ')?;
    let progress = match state {
        "queued" => Progress::Queued,
        "delivered" => Progress::Ended(SendOutcome::Delivered),
        "published" => Progress::Ended(SendOutcome::Published),
        code => {
            let code = ErrorCode::ALL.into_iter().find(|known| known.as_str() == code)?;
            Progress::Ended(SendOutcome::Error(code))
        }
    };
    Some((mid.to_owned(), progress))
}

fn in_use() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "idempotency-key-in-use",
        "The first call is under way",
        "a call with this `Idempotency-Key` has no outcome yet; repeat it after Retry-After",
    )
    .retry_after(IN_USE_RETRY)
}

fn reused() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency-key-reused",
        "The key belongs to another call",
        "another call had this `Idempotency-Key`; each call needs its own",
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_key_is_short_and_visible() {
        let key = |value: &'static str| {
            read(&HeaderMap::from_iter([(
                http::HeaderName::from_static(HEADER),
                HeaderValue::from_static(value),
            )]))
        };
        assert_eq!(read(&HeaderMap::new()), Ok(None));
        assert_eq!(key("order/7"), Ok(Some("order/7".into())));
        for bad in ["", "two words", "tab\tin"] {
            assert!(key(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_progress_is_read_from_its_record() {
        assert_eq!(parse(" pending"), None);
        for (text, progress) in [
            ("queued", Progress::Queued),
            ("published", Progress::Ended(SendOutcome::Published)),
            ("timeout", Progress::Ended(SendOutcome::Error(ErrorCode::Timeout))),
        ] {
            assert_eq!(parse(&format!(" {text} mid/1")), Some(("mid/1".into(), progress)));
        }
        assert_eq!(parse(" of-a-newer-version mid/1"), None);
    }
}
