//! How coordinator and agent prove to each other that they know the same secret: each answers the other's nonce
//! with an HMAC-SHA256. It does not encrypt what follows.

use std::{fs, path::Path};

use anyhow::{Context as _, bail, ensure};
use aws_lc_rs::{hmac, rand};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use switchboard_protocol::Secret;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    clock::unix_ms,
    lines::{self, Lines},
};

/// The version of the lines between coordinator and agent.
const VERSION: u32 = 1;

/// The longest line before the other side has proved itself, in bytes.
pub(super) const MAX_HELLO_BYTES: usize = 4096;

/// A shorter secret could be found by trying, in characters.
const MIN_SECRET: usize = 16;

/// What an agent sends.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AgentReply {
    /// At once.
    Hello { version: u32, nonce: String },
    /// To a coordinator that knows the secret. The time is the agent's now.
    Welcome { unix_ms: u64, proof: String },
    /// Why not.
    Refused(String),
}

/// What a coordinator answers to the agent's hello.
#[derive(Debug, Serialize, Deserialize)]
struct CoordinatorHello {
    version: u32,
    nonce: String,
    /// All connections of one run carry the same.
    run: String,
    proof: String,
}

/// Reads the secret that coordinator and agents share, and removes white space around it.
///
/// # Errors
/// When the file cannot be read or the secret is short.
pub(crate) fn read_secret(path: &Path) -> anyhow::Result<Secret> {
    let text = fs::read_to_string(path).with_context(|| format!("the secret file {}", path.display()))?;
    let text = text.trim();
    ensure!(
        text.chars().count() >= MIN_SECRET,
        "the secret in {} is shorter than {MIN_SECRET} characters; make one with `openssl rand -hex 32`",
        path.display()
    );
    Ok(Secret::new(text))
}

/// A random text, different each time.
pub(super) fn nonce() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).context("the system has no randomness")?;
    Ok(STANDARD.encode(bytes))
}

/// Everything that was sent, so that a proof is good for this one conversation and one side of it.
fn transcript(
    side: &str,
    agent_nonce: &str,
    nonce: &str,
    run: &str,
    unix_ms: u64,
) -> anyhow::Result<Vec<u8>> {
    Ok(serde_json::to_vec(&(
        side,
        VERSION,
        agent_nonce,
        nonce,
        run,
        unix_ms,
    ))?)
}

fn prove(secret: &Secret, transcript: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    STANDARD.encode(hmac::sign(&key, transcript))
}

/// Compares in constant time.
fn is_proof(secret: &Secret, transcript: &[u8], proof: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let proof = STANDARD.decode(proof).unwrap_or_default();
    hmac::verify(&key, transcript, &proof).is_ok()
}

/// The agent's side. `admit` decides, by the run's name, whether there is a place; what it gives comes back.
pub(super) async fn accept<R, W, P>(
    lines: &mut Lines<R>,
    write: &mut W,
    secret: &Secret,
    admit: impl FnOnce(&str) -> Result<P, String>,
) -> anyhow::Result<P>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mine = nonce()?;
    lines::write(
        write,
        &AgentReply::Hello {
            version: VERSION,
            nonce: mine.clone(),
        },
    )
    .await?;
    let Some(theirs) = lines.read::<CoordinatorHello>().await? else {
        bail!("the coordinator left without an answer");
    };
    let CoordinatorHello {
        version,
        nonce,
        run,
        proof,
    } = &theirs;
    let admitted = if *version != VERSION {
        Err(other_version(*version))
    } else if !is_proof(secret, &transcript("coordinator", &mine, nonce, run, 0)?, proof) {
        Err("the coordinator's secret is not the agent's".to_owned())
    } else {
        admit(run)
    };
    match admitted {
        Ok(place) => {
            let unix_ms = unix_ms();
            let proof = prove(secret, &transcript("agent", &mine, nonce, run, unix_ms)?);
            lines::write(write, &AgentReply::Welcome { unix_ms, proof }).await?;
            Ok(place)
        }
        Err(reason) => {
            lines::write(write, &AgentReply::Refused(reason.clone())).await?;
            bail!(reason)
        }
    }
}

/// The coordinator's side. Gives how far the agent's clock is ahead, in milliseconds, to half a round trip.
pub(super) async fn introduce<R, W>(
    lines: &mut Lines<R>,
    write: &mut W,
    secret: &Secret,
    run: &str,
) -> anyhow::Result<i64>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let theirs = match lines.read::<AgentReply>().await? {
        Some(AgentReply::Hello {
            version: VERSION,
            nonce,
        }) => nonce,
        Some(AgentReply::Hello { version, .. }) => bail!(other_version(version)),
        Some(AgentReply::Refused(reason)) => bail!("refused: {reason}"),
        Some(AgentReply::Welcome { .. }) => bail!("a welcome before the proof; that is no agent"),
        None => bail!("closed without a greeting: it is no agent, or has too many connections"),
    };
    let mine = nonce()?;
    let answer = CoordinatorHello {
        version: VERSION,
        proof: prove(secret, &transcript("coordinator", &theirs, &mine, run, 0)?),
        nonce: mine.clone(),
        run: run.to_owned(),
    };
    let before = unix_ms();
    lines::write(write, &answer).await?;
    let (unix_ms_there, proof) = match lines.read::<AgentReply>().await? {
        Some(AgentReply::Welcome { unix_ms, proof }) => (unix_ms, proof),
        Some(AgentReply::Refused(reason)) => bail!("refused: {reason}"),
        Some(AgentReply::Hello { .. }) => bail!("a second greeting; that is no agent"),
        None => bail!("closed in the middle of the handshake"),
    };
    let middle = u64::midpoint(before, unix_ms());
    let said = transcript("agent", &theirs, &mine, run, unix_ms_there)?;
    ensure!(
        is_proof(secret, &said, &proof),
        "the agent does not know the secret"
    );
    Ok(unix_ms_there.cast_signed().saturating_sub(middle.cast_signed()))
}

fn other_version(version: u32) -> String {
    format!("the other side speaks version {version}, this one {VERSION}: use the same build on both")
}

#[cfg(test)]
mod tests {
    use tokio::io::{duplex, split};

    use super::*;

    async fn meet(secrets: [&str; 2], is_free: bool) -> (anyhow::Result<String>, anyhow::Result<i64>) {
        let (agent, coordinator) = duplex(4096);
        let (read, mut write) = split(agent);
        let mut lines = Lines::new(read, "the coordinator", MAX_HELLO_BYTES);
        let (their_read, mut their_write) = split(coordinator);
        let mut their_lines = Lines::new(their_read, "the agent", MAX_HELLO_BYTES);
        let secrets = secrets.map(Secret::new);
        let admit = |run: &str| {
            if is_free {
                Ok(run.to_owned())
            } else {
                Err("busy".to_owned())
            }
        };
        tokio::join!(
            accept(&mut lines, &mut write, &secrets[0], admit),
            introduce(&mut their_lines, &mut their_write, &secrets[1], "run 1"),
        )
    }

    #[tokio::test]
    async fn only_two_with_the_same_secret_accept_each_other_and_a_busy_agent_refuses() {
        let (accepted, ahead_ms) = meet(["one secret", "one secret"], true).await;
        assert_eq!(accepted.unwrap(), "run 1");
        assert!(ahead_ms.unwrap().abs() < 1_000);
        for (other, is_free, reason) in [
            ("another", true, "the coordinator's secret is not the agent's"),
            ("one secret", false, "busy"),
        ] {
            let (accepted, introduced) = meet(["one secret", other], is_free).await;
            assert_eq!(accepted.unwrap_err().to_string(), reason);
            assert_eq!(introduced.unwrap_err().to_string(), format!("refused: {reason}"));
        }
    }

    #[tokio::test]
    async fn an_agent_that_only_repeats_the_coordinators_proof_is_refused() {
        let (agent, coordinator) = duplex(4096);
        let (read, mut write) = split(agent);
        let mut lines = Lines::new(read, "the coordinator", MAX_HELLO_BYTES);
        let (their_read, mut their_write) = split(coordinator);
        let mut their_lines = Lines::new(their_read, "the agent", MAX_HELLO_BYTES);
        let mirror = async {
            let hello = AgentReply::Hello {
                version: VERSION,
                nonce: "n".to_owned(),
            };
            lines::write(&mut write, &hello).await.unwrap();
            let proof = lines.read::<CoordinatorHello>().await.unwrap().unwrap().proof;
            lines::write(&mut write, &AgentReply::Welcome { unix_ms: 0, proof })
                .await
                .unwrap();
        };
        let secret = Secret::new("s");
        let introducing = introduce(&mut their_lines, &mut their_write, &secret, "run");
        let (introduced, ()) = tokio::join!(introducing, mirror);
        assert_eq!(
            introduced.unwrap_err().to_string(),
            "the agent does not know the secret"
        );
    }

    #[test]
    fn a_short_secret_is_refused_with_the_fix() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "short\n").unwrap();
        assert!(
            read_secret(file.path())
                .unwrap_err()
                .to_string()
                .contains("openssl rand")
        );
        fs::write(file.path(), "0123456789abcdef\n").unwrap();
        assert_eq!(read_secret(file.path()).unwrap().expose(), "0123456789abcdef");
    }
}
