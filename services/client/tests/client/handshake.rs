//! Connecting to a real WebSocket server: where the token goes, and what a refusal looks like.

use std::time::Duration;

use crate::server::{Peer, SOON, finished, listen, node, refuse};
use http::header;
use switchboard_client::{Client, ConnectError, ConnectOptions, TokenVia};
use switchboard_protocol::Secret;
use tokio::time::timeout;

/// The request of a client that sends its token `via`.
async fn request(via: TokenVia) -> Peer {
    let (options, server) = node(|peer| async { peer }).await;
    let options = options.token_via(via).origin("https://app.example");
    let client = Client::connect(&options).await.unwrap();
    assert_eq!(client.welcome().peer.as_str(), "alice");
    finished(server).await
}

#[tokio::test]
async fn the_token_is_offered_as_a_subprotocol_like_a_browser_does() {
    let peer = request(TokenVia::Subprotocol).await;
    assert_eq!(
        peer.headers[header::SEC_WEBSOCKET_PROTOCOL],
        "switchboard.v1, bearer.aa.bb.cc"
    );
    assert!(!peer.headers.contains_key(header::AUTHORIZATION));
    assert_eq!(peer.uri.query(), None);
    assert_eq!(peer.headers[header::ORIGIN], "https://app.example");
}

#[tokio::test]
async fn the_token_is_sent_as_a_header_unless_asked_otherwise() {
    let peer = request(TokenVia::default()).await;
    assert_eq!(peer.headers[header::AUTHORIZATION], "Bearer aa.bb.cc");
    assert_eq!(peer.headers[header::SEC_WEBSOCKET_PROTOCOL], "switchboard.v1");
    assert_eq!(peer.uri.query(), None);
}

#[tokio::test]
async fn the_token_is_sent_in_the_query_when_asked() {
    let peer = request(TokenVia::Query).await;
    assert_eq!(peer.uri.query(), Some("access_token=aa.bb.cc"));
    assert!(!peer.headers.contains_key(header::AUTHORIZATION));
}

#[tokio::test]
async fn a_refusal_carries_its_status_and_problem_document() {
    let (listener, options) = listen().await;
    let server = tokio::spawn(async move {
        let problem = r#"{"type":"urn:switchboard:problem:token-expired","title":"The token was refused",
            "status":401,"detail":"it ended","code":"token-expired"}"#;
        refuse(&listener, "401 Unauthorized", problem).await;
    });
    let refused = Client::connect(&options).await.unwrap_err();
    finished(server).await;
    let ConnectError::Refused {
        status,
        problem: Some(problem),
        retry_after: None,
    } = refused
    else {
        panic!("{refused:?} is not a refusal with its problem")
    };
    assert_eq!(
        (status, problem.code.as_str(), problem.detail.as_str()),
        (401, "token-expired", "it ended")
    );
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_on() {
    let (listener, mut options) = listen().await;
    options.timeout = Duration::from_millis(100);
    let given_up = timeout(SOON, Client::connect(&options))
        .await
        .expect("in bounded time");
    assert!(matches!(given_up, Err(ConnectError::Timeout)), "{given_up:?}");
    drop(listener);
}

#[tokio::test]
async fn a_first_frame_other_than_welcome_is_no_connection() {
    let (listener, options) = listen().await;
    let server = tokio::spawn(async move {
        let mut peer = Peer::accept(&listener).await;
        peer.text(r#"{"type":"pong","time_ms":1}"#).await;
    });
    let refused = Client::connect(&options).await.unwrap_err();
    assert!(matches!(refused, ConnectError::NoWelcome(_)), "{refused:?}");
    finished(server).await;
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_an_error_of_the_network() {
    let (listener, options) = listen().await;
    drop(listener);
    let refused = Client::connect(&options).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Io(_)), "{refused:?}");
}

#[tokio::test]
async fn a_token_that_would_break_the_header_is_refused_before_the_request() {
    let options = ConnectOptions::new("ws://127.0.0.1:9/v1/ws", Secret::new("a\r\nX-Evil: 1"));
    let refused = Client::connect(&options).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Url(_)), "{refused:?}");
}

#[tokio::test]
async fn an_attempt_that_is_given_up_sends_no_close_frame_that_could_end_the_session() {
    let (listener, mut options) = listen().await;
    options.timeout = Duration::from_millis(100);
    let server = tokio::spawn(async move { Peer::accept(&listener).await.close_code().await });
    let given_up = Client::connect(&options).await;
    assert!(matches!(given_up, Err(ConnectError::Timeout)), "{given_up:?}");
    assert_eq!(finished(server).await, None);
}
