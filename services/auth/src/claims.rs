//! From the payload of a token with a valid signature to a [`Grant`]. Each claim is read separately, so a refusal names the
//! claim. Not here: the signature (`key`), which is verified first.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use switchboard_protocol::{
    DuplicatePolicy, Grant, GrantLimits, MAX_INFO_BYTES, MAX_PATTERNS, MAX_TOKEN_ID_BYTES, Patterns, PeerKey,
    Role, TenantId,
};

use crate::{SubjectMapping, TokenError, jws::is_object};

/// The latest time that a token may name, in seconds since 1970: the year 5138. A present time in milliseconds is later.
pub(crate) const MAX_TIME_S: u64 = 100_000_000_000;

/// Characters of an unknown member that its refusal shows.
const MAX_NAME_CHARS: usize = 64;

/// The operator's rules for every token.
pub(crate) struct Rules {
    pub(crate) issuer: Option<Box<str>>,
    pub(crate) audience: Option<Box<str>>,
    pub(crate) subject_mapping: SubjectMapping,
    pub(crate) leeway_s: u64,
}

/// The claims as raw JSON: a wrong type in one must not hide the others.
#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    sub: Option<&'a RawValue>,
    exp: Option<&'a RawValue>,
    nbf: Option<&'a RawValue>,
    iat: Option<&'a RawValue>,
    iss: Option<&'a RawValue>,
    aud: Option<&'a RawValue>,
    jti: Option<&'a RawValue>,
    tenant: Option<&'a RawValue>,
    switchboard: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Switchboard<'a> {
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    send: Option<&'a RawValue>,
    rooms: Option<&'a RawValue>,
    info: Option<&'a RawValue>,
    duplicate: Option<&'a RawValue>,
    limits: Option<&'a RawValue>,
}

/// RFC 7519, section 4.1.3: one string, or an array of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Rules {
    pub(crate) fn grant(&self, payload: &[u8], now_s: u64) -> Result<Grant, TokenError> {
        if !is_object(payload) {
            return Err(NOT_AN_OBJECT);
        }
        let claims: Claims<'_> = serde_json::from_slice(payload).map_err(|_| NOT_AN_OBJECT)?;

        let (expires_at, issued_at) = self.times(&claims, now_s)?;
        self.parties(&claims)?;

        let sub = string("sub", claims.sub)?.ok_or(refused("`sub`, the peer ID, is missing"))?;
        let peer = self
            .subject_mapping
            .peer(&sub)
            .map_err(|why| TokenError::Claims(format!("`sub`: {why}").into()))?;
        let tenant = match string("tenant", claims.tenant)? {
            Some(name) => {
                TenantId::new(&name).map_err(|why| TokenError::Claims(format!("`tenant`: {why}").into()))?
            }
            None => TenantId::default(),
        };
        let own = match claims.switchboard {
            Some(json) if is_object(json.get().as_bytes()) => {
                serde_json::from_str(json.get()).map_err(|error| bad_member(&error.to_string()))?
            }
            Some(_) => return Err(refused("`switchboard` must be an object")),
            None => Switchboard::default(),
        };
        Ok(Grant {
            peer: PeerKey::new(tenant.as_str(), &peer),
            role: one_of::<Role>(own.role, "`switchboard.role` must be \"peer\" or \"backend\"")?,
            send: patterns("switchboard.send", own.send)?,
            rooms: patterns("switchboard.rooms", own.rooms)?,
            info: own.info.map(info).transpose()?,
            duplicate: one_of::<DuplicatePolicy>(
                own.duplicate,
                "`switchboard.duplicate` must be \"replace\" or \"reject\"",
            )?,
            limits: own.limits.map(limits).transpose()?,
            expires_at,
            issued_at,
            token_id: token_id(claims.jti)?,
        })
    }

    /// `exp` has no leeway. It also ends the connection, so an expired token would be disconnected at once.
    fn times(&self, claims: &Claims<'_>, now_s: u64) -> Result<(u64, Option<u64>), TokenError> {
        let exp = date("exp", claims.exp)?.ok_or(refused("`exp` is missing; a token must expire"))?;
        if exp <= now_s {
            return Err(TokenError::Expired { ago_s: now_s - exp });
        }
        let issued_at = date("iat", claims.iat)?;
        for start in [date("nbf", claims.nbf)?, issued_at].into_iter().flatten() {
            if start > now_s.saturating_add(self.leeway_s) {
                return Err(TokenError::NotYetValid { in_s: start - now_s });
            }
        }
        Ok((exp, issued_at))
    }

    fn parties(&self, claims: &Claims<'_>) -> Result<(), TokenError> {
        if let Some(expected) = &self.issuer
            && string("iss", claims.iss)?.as_deref() != Some(expected)
        {
            return Err(TokenError::Issuer);
        }
        let Some(expected) = &self.audience else {
            return Ok(());
        };
        let named = match claims.aud.map(|json| serde_json::from_str(json.get())) {
            None => false,
            Some(Ok(Audience::One(name))) => name == **expected,
            Some(Ok(Audience::Many(names))) => names.iter().any(|name| **name == **expected),
            Some(Err(_)) => return Err(refused("`aud` must be a string or an array of strings")),
        };
        if named { Ok(()) } else { Err(TokenError::Audience) }
    }
}

const NOT_AN_OBJECT: TokenError =
    TokenError::Malformed("its payload is not one JSON object, each claim once");

const fn refused(why: &'static str) -> TokenError {
    TokenError::Claims(Cow::Borrowed(why))
}

fn string(claim: &'static str, json: Option<&RawValue>) -> Result<Option<String>, TokenError> {
    json.map(|json| serde_json::from_str(json.get()))
        .transpose()
        .map_err(|_| TokenError::Claims(format!("`{claim}` must be a string").into()))
}

/// Why `switchboard` cannot be read, from the message of the JSON library: a member is unknown, or there twice.
fn bad_member(message: &str) -> TokenError {
    let unknown = message
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once("`, expected "));
    let Some((name, _)) = unknown else {
        return refused("`switchboard` has the same member twice");
    };
    let name: String = name
        .chars()
        .take(MAX_NAME_CHARS)
        .flat_map(char::escape_debug)
        .collect();
    let why = format!("`switchboard.{name}` is not known; role, send, rooms, info, duplicate and limits are");
    TokenError::Claims(why.into())
}

/// A `jti` that is too long could not be revoked.
fn token_id(json: Option<&RawValue>) -> Result<Option<Box<str>>, TokenError> {
    match string("jti", json)? {
        Some(id) if id.len() > MAX_TOKEN_ID_BYTES => {
            let why = format!(
                "`jti` has {} bytes, at most {MAX_TOKEN_ID_BYTES} are allowed",
                id.len()
            );
            Err(TokenError::Claims(why.into()))
        }
        Some(id) if id.is_empty() => Err(refused("`jti` is empty")),
        id => Ok(id.map(String::into_boxed_str)),
    }
}

/// A NumericDate may have a fraction (RFC 7519, section 2). The fraction is ignored.
fn date(claim: &'static str, json: Option<&RawValue>) -> Result<Option<u64>, TokenError> {
    let Some(json) = json else { return Ok(None) };
    let seconds = match serde_json::from_str::<u64>(json.get()) {
        Ok(whole) => Ok(whole as f64),
        Err(_) => serde_json::from_str(json.get()),
    };
    match seconds {
        Ok(seconds) if seconds > MAX_TIME_S as f64 => Err(TokenError::Claims(
            format!("`{claim}` is too large for a time in seconds; is it in milliseconds?").into(),
        )),
        // The bound above is exact in a float, and so is each whole second below it.
        Ok(seconds) if seconds >= 0.0 => Ok(Some(seconds as u64)),
        Ok(_) | Err(_) => Err(TokenError::Claims(
            format!("`{claim}` must be a time in seconds since 1970").into(),
        )),
    }
}

fn one_of<'a, T: Default + Deserialize<'a>>(
    json: Option<&'a RawValue>,
    complaint: &'static str,
) -> Result<T, TokenError> {
    json.map_or_else(
        || Ok(T::default()),
        |json| serde_json::from_str(json.get()).map_err(|_| refused(complaint)),
    )
}

fn patterns(claim: &'static str, json: Option<&RawValue>) -> Result<Patterns, TokenError> {
    let Some(json) = json else {
        return Ok(Patterns::any());
    };
    let list: Vec<String> = serde_json::from_str(json.get())
        .map_err(|_| TokenError::Claims(format!("`{claim}` must be an array of strings").into()))?;
    Patterns::new(list).map_err(|count| {
        let why = format!("`{claim}` has {count} patterns, at most {MAX_PATTERNS} are allowed");
        TokenError::Claims(why.into())
    })
}

fn limits(json: &RawValue) -> Result<Box<GrantLimits>, TokenError> {
    const WRONG: &str = "`switchboard.limits` must be an object of whole numbers above 0; messages_per_second, message_burst, \
                         connections and tenant_connections are known";
    match is_object(json.get().as_bytes()) {
        true => serde_json::from_str(json.get())
            .map(Box::new)
            .map_err(|_| refused(WRONG)),
        false => Err(refused(WRONG)),
    }
}

fn info(json: &RawValue) -> Result<Box<RawValue>, TokenError> {
    let bytes = json.get().len();
    if bytes > MAX_INFO_BYTES {
        let why = format!("`switchboard.info` has {bytes} bytes, at most {MAX_INFO_BYTES} are allowed");
        return Err(TokenError::Claims(why.into()));
    }
    if !is_object(json.get().as_bytes()) {
        return Err(refused("`switchboard.info` must be an object"));
    }
    Ok(json.to_owned())
}
