//! `POST` and `GET /v1/revocations`: tokens of the tenant that are refused before their end, on every node.

use axum::Json;
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use switchboard_core::RevokeError;
use switchboard_protocol::{ErrorCode, MAX_TOKEN_ID_CHARS, PeerId, Revocation, RevokedTokens, is_token_id};
use utoipa::ToSchema;

use super::{
    caller::Caller,
    failure,
    input::{Body, Parameters, WholeNumber, whole_number},
    page::{self, PageParameters},
};
use crate::{clock::unix_now, problem::Problem};

/// The latest end of a revocation, in seconds since the Unix epoch: the year 5138, as for tokens.
const MAX_TIME_S: u64 = 100_000_000_000;

/// Tokens to refuse.
#[derive(Deserialize, ToSchema)]
#[serde(
    untagged,
    expecting = "expected `jti` and `until`, or `peer`, `until` and perhaps `issued_before`"
)]
pub(super) enum NewRevocation {
    Token(TokenToRevoke),
    Peer(PeerToRevoke),
}

/// One token, by its `jti`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenToRevoke {
    /// The `jti` of the token. It does not say whose token that is, so `switchboard.send` of the caller must allow every peer.
    #[schema(min_length = 1, max_length = 256)]
    jti: String,
    /// When the token ends, in seconds since the Unix epoch. The revocation ends then.
    #[serde(deserialize_with = "time")]
    #[schema(maximum = 100_000_000_000_u64)]
    until: u64,
}

/// The tokens of a peer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PeerToRevoke {
    /// The peer whose tokens are refused.
    #[schema(value_type = PeerId)]
    peer: String,
    /// Tokens with an earlier `iat`, in seconds since the Unix epoch, and those without one. Now, if absent.
    #[serde(default, deserialize_with = "whole_number")]
    #[schema(value_type = Option<WholeNumber>, inline)]
    issued_before: Option<u64>,
    /// When the last of these tokens ends, in seconds since the Unix epoch. The revocation ends then.
    #[serde(deserialize_with = "time")]
    #[schema(maximum = 100_000_000_000_u64)]
    until: u64,
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    whole_number(deserializer)?.ok_or_else(|| D::Error::custom("a time is a number"))
}

/// A revocation in force.
#[derive(Serialize, ToSchema)]
pub(super) struct RevocationInForce {
    /// The `jti` of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    jti: Option<String>,
    /// The peer whose tokens are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    peer: Option<PeerId>,
    /// With `peer`: its tokens with an earlier `iat` are refused, in seconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    issued_before: Option<u64>,
    /// When it ends, in seconds since the Unix epoch.
    until: u64,
}

impl From<Revocation> for RevocationInForce {
    fn from(revocation: Revocation) -> Self {
        let until = revocation.until_s;
        match revocation.tokens {
            RevokedTokens::Id(id) => Self {
                jti: Some(id.into()),
                peer: None,
                issued_before: None,
                until,
            },
            RevokedTokens::OfPeer {
                peer,
                issued_before_s,
            } => Self {
                jti: None,
                peer: Some(peer),
                issued_before: Some(issued_before_s),
                until,
            },
        }
    }
}

/// Refuses tokens until their end: new connections get 401, and open ones close with 4401, on every node.
#[utoipa::path(
    post,
    path = "/v1/revocations",
    tag = "revocations",
    request_body = NewRevocation,
    responses(
        (status = 201, description = "The revocation is stored, and in force on every node within a second.", body = RevocationInForce),
        (status = 409, description = "`too-many-revocations`: the tenant has limits.revocations_per_tenant in force."),
        (status = 422, description = "`bad-time`: `until` has passed, or is in milliseconds."),
    )
)]
pub(super) async fn revoke(
    caller: Caller,
    Body(new): Body<NewRevocation>,
) -> Result<(StatusCode, Json<RevocationInForce>), Problem> {
    let (tokens, until_s) = match new {
        NewRevocation::Token(token) => {
            caller.any_peer()?;
            if !is_token_id(&token.jti) {
                let why = format!("`jti` has 1 to {MAX_TOKEN_ID_CHARS} characters");
                return Err(Problem::bad_request("bad-body", why));
            }
            (RevokedTokens::Id(token.jti.into()), token.until)
        }
        NewRevocation::Peer(of) => {
            let tokens = RevokedTokens::OfPeer {
                peer: caller.peer(&of.peer)?.peer_id(),
                issued_before_s: of.issued_before.unwrap_or_else(|| unix_now().as_secs() + 1),
            };
            (tokens, of.until)
        }
    };
    let revocation = Revocation {
        tenant: caller.grant.peer.tenant_id(),
        until_s,
        tokens,
    };
    put_in_force(&caller, "until", &revocation).await?;
    Ok((StatusCode::CREATED, Json(revocation.into())))
}

/// Stores a revocation. `until` names where its end came from.
pub(super) async fn put_in_force(
    caller: &Caller,
    until: &str,
    revocation: &Revocation,
) -> Result<(), Problem> {
    let now_s = unix_now().as_secs();
    if !(now_s..=MAX_TIME_S).contains(&revocation.until_s) {
        let why =
            format!("`{until}` is a time in seconds since 1970 that has not passed; is it in milliseconds?");
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad-time",
            "The time is not valid",
            why,
        ));
    }
    caller
        .edge
        .router
        .revoke(revocation, now_s)
        .await
        .map_err(|error| match error {
            RevokeError::Full { .. } => Problem::new(
                StatusCode::CONFLICT,
                "too-many-revocations",
                "The tenant has too many revocations",
                error.to_string(),
            ),
            RevokeError::Unknown => failure::of(ErrorCode::BusUnavailable),
            RevokeError::Broker(error) => failure::of_broker(error),
        })
}

/// Some revocations of the tenant.
#[derive(Serialize, ToSchema)]
pub(super) struct RevocationPage {
    revocations: Vec<RevocationInForce>,
    /// The `cursor` of the next page; absent in the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// Lists the revocations in force of the peers that the caller's `switchboard.send` allows; those by `jti`, if it allows all.
#[utoipa::path(
    get,
    path = "/v1/revocations",
    tag = "revocations",
    params(
        ("cursor" = Option<String>, Query, max_length = 512, description = "`next` of the page before."),
        ("limit" = Option<u64>, Query, description = "Entries of the page; 100 if absent.", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "A page.", body = RevocationPage),
        (status = 422, description = "`bad-cursor`: `cursor` is not the `next` of a page."),
    )
)]
pub(super) async fn list_revocations(
    caller: Caller,
    Parameters(page): Parameters<PageParameters>,
) -> Result<Json<RevocationPage>, Problem> {
    let now_s = unix_now().as_secs();
    let mut own = caller
        .edge
        .router
        .revocations()
        .of_tenant(caller.grant.peer.tenant());
    own.retain(|revocation| now_s < revocation.until_s && may_see(&caller, revocation));
    own.sort_by_cached_key(Revocation::text);
    let is_text = |text: &str| Revocation::parse(text, 0).is_ok();
    let (page, next) = page::of(own, Revocation::text, is_text, &page)?;
    let revocations = page.into_iter().map(RevocationInForce::from).collect();
    Ok(Json(RevocationPage { revocations, next }))
}

/// Whether the caller could have made this revocation.
fn may_see(caller: &Caller, revocation: &Revocation) -> bool {
    match &revocation.tokens {
        RevokedTokens::Id(_) => caller.any_peer().is_ok(),
        RevokedTokens::OfPeer { peer, .. } => caller.grant.send.allow(peer.as_str()),
    }
}
