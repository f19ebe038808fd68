//! Secrets that are rotated while nodes run. The signatures are computed here anew, by the text of the specification.

use std::path::Path;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use switchboard_testkit::{Cluster, PATIENCE, Received, Reply, WebhookReceiver, wait_until};

use crate::{TAKEOVER, visit};

pub(crate) const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const NEW: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The signature of a request.
pub(crate) fn sign(secret: &str, id: &str, at: &str, body: &str) -> String {
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let tag = hmac::sign(&key, format!("{id}.{at}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

fn is_signed_with(event: &Received, secret: &str) -> bool {
    let (id, at) = (event.header("webhook-id"), event.header("webhook-timestamp"));
    let own = sign(secret, id, at, &event.body);
    event
        .header("webhook-signature")
        .split(' ')
        .any(|signature| signature == own)
}

fn write(file: &Path, text: &str) {
    // As kubelets do: complete at once.
    let next = file.with_extension("next");
    std::fs::write(&next, text).unwrap();
    std::fs::rename(next, file).unwrap();
}

async fn all_have(cluster: &Cluster, series: &str, value: f64) {
    for node in &cluster.nodes {
        let has = async || node.metric(series).await.filter(|found| *found == value);
        wait_until(series, PATIENCE, has).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_rotated_on_all_nodes_and_meanwhile_each_event_has_both_signatures() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app");
    write(&file, &format!("{OLD}\n"));
    let receiver = WebhookReceiver::start(|_: &Received| Reply::status(200))
        .await
        .unwrap();
    let config = format!(
        "[[webhooks.endpoints]]\nname = \"app\"\nurl = \"http://{}/hooks\"\nsecret_files = [{file:?}]\n\
         events = [\"peer.connected\"]\n",
        receiver.address()
    );
    let cluster = Cluster::start_with(2, &config).await.unwrap();
    // One event of each node. Any node may deliver it.
    let event_of = async |peer: &str| {
        for (number, node) in cluster.nodes.iter().enumerate() {
            visit(node, &format!("{peer}-{number}"), None).await;
        }
        let both = async || {
            let mut events = receiver.events();
            events.retain(|event| event.data("peer").starts_with(peer));
            (events.len() == cluster.nodes.len()).then_some(events)
        };
        wait_until(peer, TAKEOVER, both).await.unwrap().0
    };
    let changed = "switchboard_reloads_total{outcome=\"changed\",part=\"webhooks\"}";

    for event in event_of("before").await {
        assert!(is_signed_with(&event, OLD) && !is_signed_with(&event, NEW));
    }
    write(&file, &format!("{NEW}\n{OLD}\n"));
    all_have(&cluster, changed, 1.0).await;
    for event in event_of("during").await {
        assert!(is_signed_with(&event, OLD) && is_signed_with(&event, NEW));
    }
    write(&file, &format!("{NEW}\n"));
    all_have(&cluster, changed, 2.0).await;
    for event in event_of("after").await {
        assert!(!is_signed_with(&event, OLD) && is_signed_with(&event, NEW));
    }
    write(&file, "whsec_short\n");
    all_have(&cluster, "switchboard_reload_failed{part=\"webhooks\"}", 1.0).await;
    for event in event_of("broken").await {
        assert!(is_signed_with(&event, NEW), "the earlier secret stays");
    }
}
