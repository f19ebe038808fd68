//! What a call brings: names in its path, its query, its JSON body. Each mistake is answered with a problem document that
//! names it. What the values mean is decided in the file of the call.

use std::sync::Arc;

use axum::{
    body,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
};
use http::{HeaderMap, StatusCode, header, request::Parts};
use serde::{
    Deserialize as _, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Number;
use switchboard_protocol::{ErrorCode, MAX_FRAME_DEPTH, nests_deeper_than};
use tokio::time::timeout;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

use super::failure;
use crate::{problem::Problem, state::Edge};

/// The names in the path, percent-decoded: a `String`, or a pair of them.
pub(super) struct Names<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Edge>> for Names<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Problem> {
        let names = Path::<T>::from_request_parts(parts, edge).await;
        let Path(names) = names.map_err(|_| {
            failure::bad_name("the path", &"a name is not valid UTF-8 after percent-decoding")
        })?;
        Ok(Self(names))
    }
}

/// The parameters in the query. A parameter that the call does not know is refused: a misspelt restriction must not be
/// ignored.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Edge>> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, edge).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => Err(Problem::bad_request("bad-query", rejection.body_text())),
        }
    }
}

/// The JSON object in the body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Edge>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, edge: &Arc<Edge>) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "The body has another type",
                "send JSON, with `Content-Type: application/json`",
            ));
        }
        let limit = edge.router.limits().message_bytes;
        let reading = body::to_bytes(request.into_body(), limit);
        let bytes = match timeout(edge.config.handshake_timeout, reading).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => return Err(too_large(limit)),
            Err(_) => return Err(too_slow()),
        };
        parse(&bytes).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let found = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = found.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| bad_body("the body is not UTF-8"))?;
    // The derived readers would also take an array of the members.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(bad_body("the body is one JSON object"));
    }
    if nests_deeper_than(bytes, MAX_FRAME_DEPTH) {
        return Err(bad_body(&format!("the body nests deeper than {MAX_FRAME_DEPTH}")));
    }
    serde_json::from_str(text).map_err(|error| {
        let why = error.to_string();
        if why.starts_with("missing field") {
            Problem::bad_request(ErrorCode::MissingField.as_str(), why)
        } else {
            bad_body(&why)
        }
    })
}

/// A whole number of at least 0. As on the wire, `1`, `1.0` and `1e0` are the same; one beyond 64 bits is the largest.
pub(super) fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let whole = number.as_u64().or_else(|| {
        let float = number
            .as_f64()
            .filter(|float| *float >= 0.0 && float.fract() == 0.0);
        float.map(|float| float as u64)
    });
    whole
        .map(Some)
        .ok_or_else(|| D::Error::custom("expected a whole number of at least 0"))
}

/// [`whole_number`] in a description: without a format, which would be a bound.
pub(super) enum WholeNumber {}

impl ToSchema for WholeNumber {}

impl PartialSchema for WholeNumber {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer);
        number.minimum(Some(0)).into()
    }
}

fn bad_body(why: &str) -> Problem {
    Problem::bad_request("bad-body", why)
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::PayloadTooLarge.as_str(),
        "The request is too large",
        format!("the body has more than limits.message_bytes, which is {limit}, or it ended early"),
    )
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "body-timeout",
        "The body came too slowly",
        "the body did not arrive within server.handshake_timeout_ms",
    )
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: String,
    }

    #[test]
    fn a_number_may_be_spelt_in_any_way_json_has_for_it() {
        let read = |json: &str| whole_number(&mut serde_json::Deserializer::from_str(json)).ok();
        for one in ["1", "1.0", "1e0", "10e-1"] {
            assert_eq!(read(one), Some(Some(1)), "{one}");
        }
        assert_eq!(read("null"), Some(None));
        assert_eq!(read("1e300"), Some(Some(u64::MAX)));
        for none in ["-1", "1.5", "true", "\"1\""] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    fn code(bytes: &[u8]) -> String {
        let problem = parse::<Sample>(bytes).unwrap_err();
        serde_json::to_value(problem).unwrap()["code"]
            .as_str()
            .unwrap()
            .into()
    }

    #[test]
    fn a_body_is_one_object_with_known_members_once() {
        let sample = Sample { name: "a".into() };
        assert_eq!(parse::<Sample>(br#" {"name":"a"}"#).unwrap(), sample);
        assert_eq!(code(br#"{}"#), "missing-field");
        let deep = [br#"{"name":"#.as_slice(), &[b'['; 200], &[b']'; 200], b"}"].concat();
        for bad in [
            br#"["a"]"#.as_slice(),
            br#"{"name":"a","nmae":1}"#,
            br#"{"name":"a","name":"b"}"#,
            br#"{"name":"a"} x"#,
            b"{\"name\":\"\xff\"}",
            b"",
            &deep,
        ] {
            assert_eq!(code(bad), "bad-body", "{}", String::from_utf8_lossy(bad));
        }
    }
}
