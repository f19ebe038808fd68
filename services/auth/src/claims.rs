//! From the payload of a token with a valid signature to a [`Grant`]. Each claim is read separately, so a refusal names the
//! claim. Not here: the signature (`key`), which is verified first.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use switchboard_protocol::{
    DuplicatePolicy, Grant, GrantLimits, MAX_INFO_BYTES, MAX_PATTERNS, MAX_TOKEN_ID_CHARS, Patterns, PeerId,
    PeerKey, RegionId, Role, TenantId, is_token_id,
};

use crate::{
    AuthConfig, AuthConfigError, IssuerConfig, SubjectMapping, TokenError, jws::is_object, member::member,
};

/// The latest time that a token may name, in seconds since 1970: the year 5138. A present time in milliseconds is later.
pub(crate) const MAX_TIME_S: u64 = 100_000_000_000;

/// Characters of an unknown member that its refusal shows.
const MAX_NAME_CHARS: usize = 64;

/// The operator's rules for every token of one issuer.
pub(crate) struct Rules {
    issuer: Option<Box<str>>,
    audience: Option<Box<str>>,
    required: Vec<(String, String)>,
    peer_claim: Box<str>,
    subject_mapping: SubjectMapping,
    tenant: TenantRule,
    leeway_s: u64,
}

/// Which tenants the tokens of one issuer may have.
struct TenantRule {
    claim: Box<str>,
    /// Always this one.
    fixed: Option<TenantId>,
    /// Those that belong to other issuers.
    foreign: Vec<TenantId>,
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
    #[serde(borrow, default, deserialize_with = "present")]
    tenant: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    switchboard: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Switchboard<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    role: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    send: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    rooms: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    info: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    duplicate: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    limits: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    region: Option<&'a RawValue>,
}

/// The value of a member that is there. `null` is a value, and never the right one: a restriction that is `null` must not
/// count as none.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

/// RFC 7519, section 4.1.3: one string, or an array of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Rules {
    /// The rules for the tokens of `issuer`, one of those of `config`.
    ///
    /// # Errors
    /// When a tenant is not a name.
    pub(crate) fn new(config: &AuthConfig, issuer: &IssuerConfig) -> Result<Self, AuthConfigError> {
        let others = config
            .issuers
            .iter()
            .filter(|other| !other.may_share_with(issuer));
        let foreign = others.filter(|other| other.at != issuer.at);
        let foreign = foreign.filter_map(|other| other.fixed_tenant().transpose());
        Ok(Self {
            issuer: issuer.issuer.as_deref().map(Into::into),
            audience: issuer.audience.as_deref().map(Into::into),
            required: issuer.required_claims.clone().into_iter().collect(),
            peer_claim: issuer.peer_claim.as_str().into(),
            subject_mapping: issuer.subject_mapping,
            tenant: TenantRule {
                claim: issuer.tenant_claim.as_str().into(),
                fixed: issuer.fixed_tenant()?,
                foreign: foreign.collect::<Result<_, _>>()?,
            },
            leeway_s: config.leeway_s,
        })
    }

    /// Whether tokens with this `iss` are its own.
    pub(crate) fn is_issuer(&self, iss: &str) -> bool {
        self.issuer.as_deref() == Some(iss)
    }

    pub(crate) fn grant(&self, payload: &[u8], now_s: u64) -> Result<Grant, TokenError> {
        if !is_object(payload) {
            return Err(TokenError::NOT_AN_OBJECT);
        }
        let claims: Claims<'_> = serde_json::from_slice(payload).map_err(|_| TokenError::NOT_AN_OBJECT)?;

        let (expires_at, issued_at) = self.times(&claims, now_s)?;
        self.parties(&claims)?;

        self.check_required(payload)?;
        let peer = self.peer(payload, &claims)?;
        let tenant = self.tenant(payload, &claims)?;
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
            region: region(own.region)?,
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

    /// For issuers that give tokens to strangers, too.
    fn check_required(&self, payload: &[u8]) -> Result<(), TokenError> {
        for (name, value) in &self.required {
            let claim = member(payload, name).map_err(|_| TokenError::NOT_AN_OBJECT)?;
            if string(name, claim)?.as_ref() != Some(value) {
                let why = format!("`{name}` does not have the value that is required here");
                return Err(TokenError::Claims(why.into()));
            }
        }
        Ok(())
    }

    fn peer(&self, payload: &[u8], claims: &Claims<'_>) -> Result<PeerId, TokenError> {
        let name = &*self.peer_claim;
        let claim = match name {
            "sub" => claims.sub,
            _ => member(payload, name).map_err(|_| TokenError::NOT_AN_OBJECT)?,
        };
        let missing = || TokenError::Claims(format!("`{name}`, the peer ID, is missing").into());
        let subject = string(name, claim)?.ok_or_else(missing)?;
        let refused = |why| TokenError::Claims(format!("`{name}`: {why}").into());
        self.subject_mapping.peer(&subject).map_err(refused)
    }

    /// The token's tenant. An issuer never speaks for the tenant of another one.
    fn tenant(&self, payload: &[u8], claims: &Claims<'_>) -> Result<TenantId, TokenError> {
        let TenantRule {
            claim,
            fixed,
            foreign,
        } = &self.tenant;
        let named = match &**claim {
            "tenant" => claims.tenant,
            _ => member(payload, claim).map_err(|_| TokenError::NOT_AN_OBJECT)?,
        };
        let refused = |why: &str| TokenError::Claims(format!("`{claim}`: {why}").into());
        let named = string(claim, named)?.map(|name| TenantId::new(&name)).transpose();
        match (named.map_err(|why| refused(&why.to_string()))?, fixed) {
            (Some(named), Some(fixed)) if named != *fixed => Err(refused("its issuer has another tenant")),
            (_, Some(fixed)) => Ok(fixed.clone()),
            (named, None) => {
                let tenant = named.unwrap_or_default();
                match foreign.contains(&tenant) {
                    true => Err(refused("this tenant belongs to another issuer")),
                    false => Ok(tenant),
                }
            }
        }
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

const fn refused(why: &'static str) -> TokenError {
    TokenError::Claims(Cow::Borrowed(why))
}

fn string(claim: &str, json: Option<&RawValue>) -> Result<Option<String>, TokenError> {
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
    let why = format!(
        "`switchboard.{name}` is not known; role, send, rooms, info, duplicate, limits and region are"
    );
    TokenError::Claims(why.into())
}

/// A `jti` that is too long could not be revoked.
fn token_id(json: Option<&RawValue>) -> Result<Option<Box<str>>, TokenError> {
    match string("jti", json)? {
        Some(id) if !is_token_id(&id) => {
            let why = format!(
                "`jti` has {} characters; 1 to {MAX_TOKEN_ID_CHARS} are allowed",
                id.chars().count()
            );
            Err(TokenError::Claims(why.into()))
        }
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
                         connections, tenant_connections, rooms_per_tenant and tenant_held_bytes are known";
    match is_object(json.get().as_bytes()) {
        true => serde_json::from_str(json.get())
            .map(Box::new)
            .map_err(|_| refused(WRONG)),
        false => Err(refused(WRONG)),
    }
}

fn region(json: Option<&RawValue>) -> Result<Option<Box<RegionId>>, TokenError> {
    let name = string("switchboard.region", json)?.map(|name| RegionId::new(&name));
    let name = name
        .transpose()
        .map_err(|why| TokenError::Claims(format!("`switchboard.region`: {why}").into()))?;
    Ok(name.map(Box::new))
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
