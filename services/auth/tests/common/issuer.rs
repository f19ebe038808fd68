//! An issuer that publishes its keys: a real HTTP server on a free port. The test sets its answers.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{Response, header::CACHE_CONTROL},
    routing::get,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use switchboard_auth::{TokenError, Verifier};
use tokio::{net::TcpListener, sync::Semaphore};

use super::{HandClock, jwks_config};

#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
    pub cache_control: Option<&'static str>,
    /// Holds the answer back until the test adds permits.
    pub held: bool,
}

impl Answer {
    pub fn body(body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            body: body.into(),
            cache_control: None,
            held: false,
        }
    }

    pub fn keys(keys: &[Value]) -> Self {
        Self::body(json!({"keys": keys}).to_string())
    }
}

#[derive(Clone)]
pub struct Issuer {
    pub answer: Arc<Mutex<Answer>>,
    pub requests: Arc<AtomicUsize>,
    pub permits: Arc<Semaphore>,
    pub url: String,
}

impl Issuer {
    pub async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Self {
            answer: Arc::new(Mutex::new(answer)),
            requests: Arc::default(),
            permits: Arc::new(Semaphore::new(0)),
            url: format!("http://{}/jwks.json", listener.local_addr().unwrap()),
        };
        let router = Router::new()
            .route("/jwks.json", get(serve))
            .route("/.well-known/openid-configuration", get(serve))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    pub fn set(&self, answer: Answer) {
        *self.answer.lock() = answer;
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub fn verifier(&self, clock: &HandClock) -> Verifier {
        Verifier::with_clock(jwks_config(self.url.clone()).into(), clock.as_clock()).unwrap()
    }
}

async fn serve(State(issuer): State<Issuer>) -> Response<Body> {
    issuer.requests.fetch_add(1, Ordering::SeqCst);
    let answer = issuer.answer.lock().clone();
    if answer.held {
        issuer.permits.acquire().await.unwrap().forget();
    }
    let mut response = Response::builder().status(answer.status);
    if let Some(value) = answer.cache_control {
        response = response.header(CACHE_CONTROL, value);
    }
    response.body(Body::from(answer.body)).unwrap()
}

pub const fn unavailable(retry_after_s: u64) -> TokenError {
    TokenError::KeysUnavailable { retry_after_s }
}
