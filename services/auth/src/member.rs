//! One member of a JSON object by its name, for claims whose names are configured. Not the claims whose names are fixed
//! (`claims`).

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer as _,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The value of `name` in `object`, if it is there.
///
/// # Errors
/// When `object` is not a JSON object, or has the member twice.
pub(crate) fn member<'a>(object: &'a [u8], name: &str) -> Result<Option<&'a RawValue>, serde_json::Error> {
    let mut input = serde_json::Deserializer::from_slice(object);
    let found = input.deserialize_map(Search { name })?;
    input.end()?;
    Ok(found)
}

struct Search<'n> {
    name: &'n str,
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for Search<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(Name(name)) = members.next_key()? {
            if name != self.name {
                members.next_value::<IgnoredAny>()?;
            } else if found.replace(members.next_value()?).is_some() {
                return Err(A::Error::custom("the same member twice"));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_once_under_its_exact_name() {
        let find = |json: &str, name: &str| {
            member(json.as_bytes(), name).map(|raw| raw.map(|raw| raw.get().to_owned()))
        };
        let json = r#"{"a":{"iss":1},"https://x.example/p":"alice","i\u0073s":"me"}"#;
        assert_eq!(
            find(json, "iss").unwrap().as_deref(),
            Some("\"me\""),
            "escapes are read"
        );
        assert_eq!(
            find(json, "https://x.example/p").unwrap().as_deref(),
            Some("\"alice\"")
        );
        assert_eq!(find(json, "ISS").unwrap(), None);
        assert!(find(r#"{"iss":"a","iss":"b"}"#, "iss").is_err());
        assert!(find(r#"{"iss":"a","i\u0073s":"b"}"#, "iss").is_err());
        for bad in ["[]", "7", "", "{", r#"{"iss":"a"}x"#] {
            assert!(find(bad, "iss").is_err(), "{bad}");
        }
    }
}
