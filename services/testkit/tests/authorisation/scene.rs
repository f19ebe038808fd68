//! A node with a peer `bob` in the room `lobby`, and requests to it.

use reqwest::{Client as Http, Method, RequestBuilder};
use serde_json::{Value, json};
use switchboard_client::{Client, ClientError, ConnectOptions};
use switchboard_protocol::{CloseCode, Command, Secret, ServerFrame};
use switchboard_testkit::{Cluster, PATIENCE, wait_until};
use tokio::task::JoinHandle;

use crate::tokens::{REVOKED_ID, REVOKED_PEER, revoked_before_s, token, until_s};

/// The payload after which `bob` stops listening.
const LAST: &str = "\"last\"";

/// A peer whose revocation a token that is narrow in `send` may see.
const TEAM_PEER: &str = "team-7";

/// A peer that a call may remove.
pub(crate) struct Victim {
    pub(crate) name: String,
    client: Client,
}

impl Victim {
    /// Whether the connection still answers.
    pub(crate) async fn answers(&mut self) -> bool {
        let ping = Command::Ping { id: Some(7) };
        self.client.request(&ping, PATIENCE).await.is_ok()
    }

    /// Whether the node closes the connection because of a kick.
    pub(crate) async fn is_kicked(&mut self) -> bool {
        let closed = self.client.expect(PATIENCE, |_| None::<()>).await;
        matches!(closed, Err(ClientError::Closed { code, .. }) if code == CloseCode::Kicked.code())
    }
}

/// What all cells share.
pub(crate) struct Scene {
    cluster: Cluster,
    http: Http,
    /// What `bob` has received, once he has received [`LAST`].
    bob: JoinHandle<Vec<String>>,
    /// The session of `bob`, as another client would name it.
    pub(crate) session_of_bob: String,
    peers: std::cell::Cell<u32>,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let cluster = Cluster::start(1).await.unwrap();
        let mut bob = cluster.connect(0, "bob").await.unwrap();
        let session_of_bob = bob.welcome().resume_token.expose().to_owned();
        join(&mut bob).await;
        let scene = Self {
            http: Http::new(),
            session_of_bob,
            bob: tokio::spawn(listen(bob)),
            peers: std::cell::Cell::new(0),
            cluster,
        };
        scene
            .revoke(&json!({"jti": REVOKED_ID, "until": until_s()}))
            .await;
        scene
            .revoke(&json!({"peer": REVOKED_PEER, "issued_before": revoked_before_s(), "until": until_s()}))
            .await;
        scene
            .revoke(&json!({"peer": TEAM_PEER, "until": until_s()}))
            .await;
        for (kind, peer) in [("revoked by jti", "x"), ("revoked by peer", REVOKED_PEER)] {
            let token = token(kind, peer);
            let refused = async || {
                let answer = outcome(scene.request("GET", "/v1/ready", token.as_deref())).await;
                (answer.0 == "401 token-revoked").then_some(())
            };
            wait_until(kind, PATIENCE, refused).await.unwrap();
        }
        scene
    }

    async fn revoke(&self, revocation: &Value) {
        let token = token("backend", "app");
        let request = self.request("POST", "/v1/revocations", token.as_deref());
        assert_eq!(outcome(request.json(revocation)).await.0, "201");
    }

    /// A peer that no other cell has, because each peer has rates of its own.
    pub(crate) fn new_peer(&self, kind: &str) -> String {
        if kind == "revoked by peer" {
            return REVOKED_PEER.into();
        }
        self.peers.set(self.peers.get() + 1);
        format!("peer-{}", self.peers.get())
    }

    /// Connects a peer over a WebSocket; the error is the refusal.
    pub(crate) async fn connect(
        &self,
        token: Option<&str>,
    ) -> Result<Client, switchboard_client::ConnectError> {
        let token = Secret::new(token.unwrap_or_default());
        Client::connect(&ConnectOptions::new(self.cluster.nodes[0].url(), token)).await
    }

    /// A peer that is there to be removed.
    pub(crate) async fn victim(&self) -> Victim {
        let name = self.new_peer("victim");
        let mut client = self.cluster.connect(0, &name).await.unwrap();
        join(&mut client).await;
        Victim { name, client }
    }

    /// Whether the victim is in the room.
    pub(crate) async fn has_in_room(&self, victim: &Victim) -> bool {
        let token = token("backend", "app");
        let request = self.request("GET", "/v1/rooms/lobby?limit=1000", token.as_deref());
        let (status, room) = outcome(request).await;
        assert_eq!(status, "200");
        let mut members = room["members"].as_array().unwrap().iter();
        members.any(|member| member["peer"] == *victim.name)
    }

    /// The revocations in force, without those of the scene.
    pub(crate) async fn revoked(&self) -> Vec<String> {
        let token = token("backend", "app");
        let request = self.request("GET", "/v1/revocations", token.as_deref());
        let (_, page) = outcome(request).await;
        let name = |revocation: &Value| match revocation["jti"].as_str() {
            Some(id) => (id != REVOKED_ID).then(|| format!("jti {id}")),
            None => {
                let peer = revocation["peer"].as_str().unwrap();
                (![REVOKED_PEER, TEAM_PEER].contains(&peer)).then(|| format!("peer {peer}"))
            }
        };
        let mut found: Vec<_> = page["revocations"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(name)
            .collect();
        found.sort();
        found
    }

    pub(crate) fn request(&self, method: &str, path: &str, token: Option<&str>) -> RequestBuilder {
        let url = format!("http://127.0.0.1:{}{path}", self.cluster.nodes[0].public_port());
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, url).timeout(PATIENCE);
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Opens a session by a poll. The frames; the error is the refusal.
    pub(crate) async fn poll(&self, query: &str, token: Option<&str>) -> Result<Vec<Value>, String> {
        let request = self.request("GET", &format!("/v1/poll?{query}"), token);
        match outcome(request).await {
            (_, Value::Array(frames)) => Ok(frames),
            (refusal, _) => Err(refusal),
        }
    }

    /// The messages that `bob` has received, each once.
    pub(crate) async fn received_by_bob(self) -> Vec<String> {
        let token = token("backend", "app");
        let last = self.request("POST", "/v1/peers/bob/messages", token.as_deref());
        let last = last.header("content-type", "application/json");
        let sent = outcome(last.body(format!("{{\"payload\":{LAST}}}"))).await;
        assert_eq!(sent.0, "200");
        let mut received = self.bob.await.unwrap();
        received.sort();
        received.dedup();
        received
    }
}

async fn join(client: &mut Client) {
    client
        .send_text(r#"{"type":"join","room":"lobby","id":1}"#)
        .await
        .unwrap();
    let joined = |frame: &ServerFrame| {
        matches!(frame, ServerFrame::Event(event) if event.id() == Some(1)).then_some(())
    };
    client.expect(PATIENCE, joined).await.unwrap();
}

async fn listen(mut bob: Client) -> Vec<String> {
    let mut received = Vec::new();
    loop {
        if let ServerFrame::Message(message) = bob.next().await.unwrap() {
            let payload = message.payload.get();
            if payload == LAST {
                return received;
            }
            received.push(payload.trim_matches('"').to_owned());
        }
    }
}

/// The status, with the `code` of a problem document; and the answer's JSON, if it is some.
pub(crate) async fn outcome(request: RequestBuilder) -> (String, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let kind = answer.headers().get("content-type");
    let is_json = kind.is_some_and(|kind| kind.to_str().unwrap().contains("json"));
    let body = if is_json {
        answer.json().await.unwrap()
    } else {
        Value::Null
    };
    let code = body["code"].as_str().filter(|_| status >= 400);
    (
        code.map_or(status.to_string(), |code| format!("{status} {code}")),
        body,
    )
}
