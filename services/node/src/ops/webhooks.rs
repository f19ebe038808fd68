//! What operators ask about webhooks: what waits, which events were given up, and to send these again.

use std::sync::Arc;

use axum::{
    Json, Router as Routes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use switchboard_core::Replay;
use switchboard_webhooks::Webhooks;

/// Dead events that one request lists or replays, at most.
const MAX_EVENTS: usize = 1_000;

#[derive(Deserialize)]
struct Page {
    #[serde(default = "most")]
    limit: usize,
}

const fn most() -> usize {
    MAX_EVENTS
}

#[derive(Deserialize)]
struct Selection {
    /// The one event that is replayed; without it: the oldest `limit`.
    id: Option<String>,
    #[serde(default = "most")]
    limit: usize,
}

/// The webhooks, if an endpoint is configured.
type Hooks = State<Option<Arc<Webhooks>>>;

pub(super) fn routes(webhooks: Option<Arc<Webhooks>>) -> Routes {
    Routes::new()
        .route("/webhooks", get(status))
        .route("/webhooks/{endpoint}/dead", get(dead))
        .route("/webhooks/{endpoint}/replay", post(replay))
        .with_state(webhooks)
}

async fn status(State(webhooks): Hooks) -> Response {
    let Some(webhooks) = webhooks else {
        return Json(json!({ "endpoints": [] })).into_response();
    };
    let endpoints = webhooks.status().into_iter().map(|endpoint| {
        json!({
            "name": endpoint.name,
            "events": endpoint.backlog.events,
            "oldest_ms": endpoint.backlog.oldest_ms,
            "dead_events": endpoint.backlog.dead,
        })
    });
    let endpoints: Vec<_> = endpoints.collect();
    let outlives_process = webhooks.outlives_process();
    Json(json!({ "endpoints": endpoints, "outlives_process": outlives_process })).into_response()
}

async fn dead(
    State(webhooks): Hooks,
    Path(endpoint): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    let webhooks = found(&webhooks)?;
    let dead = webhooks.dead(&endpoint, page.limit.min(MAX_EVENTS)).await;
    let dead = dead.map_err(|_| unknown(webhooks, &endpoint))??;
    let dead = dead.into_iter().map(|dead| {
        // The body is JSON of this cluster.
        let event: Value = serde_json::from_str(&dead.event.body).unwrap_or_default();
        json!({ "id": dead.event.id, "reason": dead.reason, "event": event })
    });
    Ok(Json(json!({ "dead_events": dead.collect::<Vec<_>>() })))
}

async fn replay(
    State(webhooks): Hooks,
    Path(endpoint): Path<String>,
    Query(selection): Query<Selection>,
) -> Result<Json<Value>, Problem> {
    let webhooks = found(&webhooks)?;
    let which = match &selection.id {
        Some(id) => Replay::Event(id),
        None => Replay::Oldest(selection.limit.min(MAX_EVENTS)),
    };
    let replayed = webhooks.replay(&endpoint, which).await;
    let replayed = replayed.map_err(|_| unknown(webhooks, &endpoint))??;
    if let Some(id) = selection.id.filter(|_| replayed == 0) {
        let problem = format!(
            "the endpoint `{endpoint}` has no dead event `{id}`: it was replayed or dropped, or never given up"
        );
        return Err(Problem::NotFound(problem));
    }
    tracing::info!(endpoint, replayed, "dead events of a webhook are sent again");
    Ok(Json(json!({ "replayed": replayed })))
}

fn found(webhooks: &Option<Arc<Webhooks>>) -> Result<&Webhooks, Problem> {
    let problem = || Problem::NotFound("this node has no webhooks; see [[webhooks.endpoints]]".into());
    webhooks.as_deref().ok_or_else(problem)
}

fn unknown(webhooks: &Webhooks, name: &str) -> Problem {
    let names: Vec<_> = webhooks
        .status()
        .into_iter()
        .map(|endpoint| endpoint.name)
        .collect();
    Problem::NotFound(format!(
        "no endpoint is called `{name}`; there are: {}",
        names.join(", ")
    ))
}

/// Why there is no answer.
enum Problem {
    NotFound(String),
    Bus(String),
}

impl From<String> for Problem {
    fn from(why: String) -> Self {
        Self::Bus(why)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, why) = match self {
            Self::NotFound(why) => (StatusCode::NOT_FOUND, why),
            Self::Bus(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
        };
        (status, format!("{why}\n")).into_response()
    }
}
