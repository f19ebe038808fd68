//! `/v1/rooms`: the rooms of the tenant, their members, and the removal of a member. Not messages to them
//! (`room_messages`).

use axum::Json;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use switchboard_core::{BrokerError, RoomMember, RoomQuery};
use switchboard_protocol::{ErrorCode, Member, PeerId, RoomId};
use utoipa::ToSchema;

use super::{
    caller::Caller,
    failure,
    input::{Names, Parameters},
    page::{self, PageParameters},
};
use crate::problem::Problem;

/// Which rooms.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoomParameters {
    #[serde(default)]
    prefix: String,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// One room.
#[derive(Serialize, ToSchema)]
pub(super) struct RoomSummary {
    room: RoomId,
    /// Its members.
    count: u64,
}

/// Some rooms of the tenant.
#[derive(Serialize, ToSchema)]
pub(super) struct RoomPage {
    rooms: Vec<RoomSummary>,
    /// The `cursor` of the next page; absent in the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// Lists the rooms that have members.
#[utoipa::path(
    get,
    path = "/v1/rooms",
    tag = "rooms",
    params(
        ("prefix" = Option<String>, Query, max_length = 128, pattern = "^[A-Za-z0-9._~:@+=-]*$", description = "The beginning of the rooms' names."),
        ("cursor" = Option<String>, Query, max_length = 512, description = "`next` of the page before."),
        ("limit" = Option<u64>, Query, description = "Rooms of the page; 100 if absent.", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "A page, in no order. It may have fewer rooms than `limit`, also if another one follows.", body = RoomPage),
        (status = 422, description = "`bad-cursor`: `cursor` is not the `next` of a page."),
    )
)]
pub(super) async fn list_rooms(
    caller: Caller,
    Parameters(parameters): Parameters<RoomParameters>,
) -> Result<Json<RoomPage>, Problem> {
    if !parameters.prefix.is_empty() {
        RoomId::new(&parameters.prefix).map_err(|error| failure::bad_name("prefix", &error))?;
    }
    let query = RoomQuery {
        tenant: caller.grant.peer.tenant().to_owned(),
        prefix: parameters.prefix,
        after: parameters.cursor,
        limit: page::limit(parameters.limit)?,
    };
    let page = caller.edge.router.rooms(query).await;
    let page = page.map_err(|error| {
        if error == BrokerError::BadCursor {
            page::bad_cursor()
        } else {
            failure::of_broker(error)
        }
    })?;
    let allowed = page
        .rooms
        .into_iter()
        .filter(|(room, _)| caller.grant.rooms.allow(room.as_str()));
    Ok(Json(RoomPage {
        rooms: allowed.map(|(room, count)| RoomSummary { room, count }).collect(),
        next: page.next,
    }))
}

/// A room with some of its members.
#[derive(Serialize, ToSchema)]
pub(super) struct RoomMembers {
    room: RoomId,
    /// Grows with each change of the members.
    version: u64,
    /// All its members.
    count: usize,
    /// Those of this page, by name.
    members: Vec<Member>,
    /// The `cursor` of the next page; absent in the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// Lists the members of a room.
#[utoipa::path(
    get,
    path = "/v1/rooms/{room}",
    tag = "rooms",
    params(
        ("room" = RoomId, Path, description = "The room."),
        ("cursor" = Option<String>, Query, max_length = 512, description = "`next` of the page before."),
        ("limit" = Option<u64>, Query, description = "Members of the page; 100 if absent.", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "A page of the members.", body = RoomMembers),
        (status = 404, description = "`no-such-room`: it has no members."),
        (status = 422, description = "`bad-cursor`: `cursor` is not the `next` of a page."),
    )
)]
pub(super) async fn get_room(
    caller: Caller,
    Names(room): Names<String>,
    Parameters(page): Parameters<PageParameters>,
) -> Result<Json<RoomMembers>, Problem> {
    let room = caller.room(&room)?;
    let roster = caller
        .edge
        .router
        .roster(&room)
        .await
        .map_err(failure::of_broker)?;
    if roster.members.is_empty() {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no-such-room",
            "There is no such room",
            "a room exists while it has members",
        ));
    }
    let (version, count, mut members) = (roster.version, roster.members.len(), roster.members);
    let is_peer = |text: &str| PeerId::new(text).is_ok();
    members.sort_unstable_by(|one, other| one.peer.cmp(&other.peer));
    let (members, next) = page::of(members, |member| member.peer.to_string(), is_peer, &page)?;
    Ok(Json(RoomMembers {
        room: room.room_id(),
        version,
        count,
        members: members.into_iter().map(shown).collect(),
        next,
    }))
}

fn shown(member: RoomMember) -> Member {
    Member {
        peer: member.peer,
        info: member.info,
        state: member.state,
    }
}

/// Removes a member from a room. It hears `left`, the others `peer-left`, with the reason `kicked`.
#[utoipa::path(
    delete,
    path = "/v1/rooms/{room}/members/{peer}",
    tag = "rooms",
    params(
        ("room" = RoomId, Path, description = "The room."),
        ("peer" = PeerId, Path, description = "The member."),
    ),
    responses(
        (status = 204, description = "The peer is removed. It may join again if its token allows it."),
        (status = 404, description = "`not-in-room`: the peer is no member."),
    )
)]
pub(super) async fn remove_member(
    caller: Caller,
    Names((room, peer)): Names<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (room, peer) = (caller.room(&room)?, caller.peer(&peer)?.peer_id());
    let removed = caller.edge.router.remove_member(&room, &peer).await;
    match removed.map_err(failure::of_broker)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(failure::of(ErrorCode::NotInRoom)),
    }
}
