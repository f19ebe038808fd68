//! Which region's TURN servers a client gets: its token decides, then a trusted proxy, then the client. Not the servers (`ice`).

use http::{HeaderName, request::Parts};
use switchboard_auth::Region;
use switchboard_protocol::Grant;

use super::{query, visitor::visitor_of};
use crate::state::Edge;

/// The region of the client that sent `request`: what its token says, or else a trusted proxy, or else the client itself. A
/// region that this node does not have counts as none: nodes learn of a new one at different times, and a call with servers far
/// away is better than none.
pub(crate) fn choose(edge: &Edge, grant: &Grant, request: &Parts) -> Region {
    if !edge.ice.has_regions() {
        return Region::default();
    }
    claimed(edge, grant)
        .or_else(|| of_proxy(edge, edge.config.region_header.as_ref()?, request))
        .or_else(|| edge.ice.region(query::value(&request.uri, "region")?))
        .unwrap_or_default()
}

/// The region that a token names.
pub(crate) fn claimed(edge: &Edge, grant: &Grant) -> Option<Region> {
    edge.ice.region(grant.region.as_ref()?.as_str())
}

/// The region that the nearest proxy says, if it is a trusted one. Of several values the last one is its own.
fn of_proxy(edge: &Edge, header: &HeaderName, request: &Parts) -> Option<Region> {
    if !visitor_of(request).is_proxied {
        return None;
    }
    let value = request.headers.get_all(header).iter().next_back()?;
    edge.ice.region_of_header(value.to_str().ok()?)
}
