//! The lines of `docs/webhooks.md` that verify a signature, as a reader copies them: run with Node, Python and Go on a request
//! of a real node.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use serde_json::{Value, json};
use switchboard_harness::{find_program, or_skip};
use switchboard_testkit::{NodeProcess, PATIENCE, Received, Reply, SECRET, WebhookReceiver};
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::{
    secrets::{NEW, OLD, sign},
    visit,
};

/// A request of a real node, signed with both secrets of a rotation.
async fn request() -> Received {
    let receiver = WebhookReceiver::start(|_: &Received| Reply::status(200))
        .await
        .unwrap();
    let config = format!(
        "[broker]\nkind = \"memory\"\n[auth]\nhs256_secret = \"{SECRET}\"\n[[webhooks.endpoints]]\nname = \"app\"\n\
         url = \"http://{}/hooks\"\nsecrets = [\"{NEW}\", \"{OLD}\"]\n",
        receiver.address()
    );
    let node = NodeProcess::spawn_new("n1", &config).unwrap();
    node.wait_ready().await.unwrap();
    visit(&node, "bob", None).await;
    receiver.take(1, PATIENCE).await.unwrap().remove(0)
}

/// Requests, each with a secret and whether it is to be believed.
fn cases(request: &Received) -> Vec<(Value, bool)> {
    let (id, at) = (request.header("webhook-id"), request.header("webhook-timestamp"));
    let case = |secret: &str, at: &str, signature: &str, body: &str| {
        let headers = json!({ "webhook-id": id, "webhook-timestamp": at, "webhook-signature": signature });
        json!({ "secret": secret, "headers": headers, "body": body })
    };
    let (signature, body) = (request.header("webhook-signature"), request.body.as_str());
    // Each signed as it should be, at another time.
    let at_s: i64 = at.parse().unwrap();
    let moved = |by_s: i64| {
        let at = (at_s + by_s).to_string();
        case(NEW, &at, &sign(NEW, id, &at, body), body)
    };
    let other = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    vec![
        (case(NEW, at, signature, body), true),
        (case(OLD, at, signature, body), true),
        (case(other, at, signature, body), false),
        (case(NEW, at, signature, &body.replace("bob", "eve")), false),
        (case(NEW, &(at_s + 1).to_string(), signature, body), false),
        (case(NEW, at, "v1,", body), false),
        (case(NEW, at, "", body), false),
        (case(NEW, at, "v1,ä", body), false),
        // Of another length than a signature has.
        (case(NEW, at, "v1,AAAA v1a,AAAA", body), false),
        (moved(-60), true),
        (moved(-3_600), false),
        (moved(3_600), false),
        (case(NEW, "soon", &sign(NEW, id, "soon", body), body), false),
    ]
}

/// The lines of the page in this language.
fn snippet(language: &str) -> &'static str {
    let page = include_str!("../../../../docs/webhooks.md");
    let after = page.split(&format!("```{language}\n")).nth(1).unwrap();
    after.split("```").next().unwrap()
}

/// Runs a program that reads the cases and prints a list of answers.
async fn check(program: &Path, arguments: &[&str], folder: &Path) {
    let cases = cases(&request().await);
    let (inputs, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(Value::from(inputs).to_string().as_bytes())
        .await
        .unwrap();
    drop(stdin);
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().await.unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let answers: Vec<bool> = serde_json::from_slice(&stdout).unwrap();
    assert_eq!(answers, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_for_node_believe_a_request_of_a_node_and_no_other() {
    let Some(node) = or_skip(find_program("node")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let driver = "import { readFileSync } from 'node:fs';\n\
        const answers = JSON.parse(readFileSync(0)).map((c) => verify(c.secret, c.headers, c.body));\n\
        console.log(JSON.stringify(answers));\n";
    std::fs::write(
        folder.path().join("verify.mjs"),
        format!("{}{driver}", snippet("js")),
    )
    .unwrap();
    check(&node, &["verify.mjs"], folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_for_python_believe_a_request_of_a_node_and_no_other() {
    let Some(python) = or_skip(find_program("python3")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let driver = "import json, sys\n\
        cases = json.load(sys.stdin)\n\
        print(json.dumps([verify(c['secret'], c['headers'], c['body'].encode()) for c in cases]))\n";
    std::fs::write(
        folder.path().join("verify.py"),
        format!("{}\n{driver}", snippet("python")),
    )
    .unwrap();
    check(&python, &["verify.py"], folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lines_for_go_believe_a_request_of_a_node_and_no_other() {
    let Some(go) = or_skip(find_program("go")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let head = r#"package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

"#;
    let driver = r"
func main() {
	var cases []struct {
		Secret  string
		Headers map[string]string
		Body    string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	answers := []bool{}
	for _, c := range cases {
		header := http.Header{}
		for name, value := range c.Headers {
			header.Set(name, value)
		}
		answers = append(answers, verify(c.Secret, header, []byte(c.Body)))
	}
	json.NewEncoder(os.Stdout).Encode(answers)
}
";
    let program = format!("{head}{}{driver}", snippet("go"));
    std::fs::write(folder.path().join("main.go"), program).unwrap();
    // Compiled before the request is made, which is old after five minutes.
    let built = Command::new(&go)
        .args(["build", "-o", "verify", "main.go"])
        .current_dir(folder.path())
        .output()
        .await
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    check(&folder.path().join("verify"), &[], folder.path()).await;
}
