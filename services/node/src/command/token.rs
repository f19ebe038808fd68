//! `switchboard token mint|inspect`.

use std::{
    io::Read as _,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use switchboard_auth::{Minter, OwnIssuer, Verifier, inspect};
use switchboard_protocol::{Claims, PeerId, Role, Secret, SwitchboardClaims};

use crate::{
    cli::{Mint, TokenCommand},
    config::{self, ConfigError},
};

/// The longest text read as a token, in bytes.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

pub(super) fn run(command: TokenCommand) -> anyhow::Result<()> {
    match command {
        TokenCommand::Mint(options) => {
            println!("{}", mint(&options)?.expose());
            Ok(())
        }
        TokenCommand::Inspect { token } => {
            let token = if token == "-" { from_stdin()? } else { token };
            print!("{}", inspect(token.trim(), now_s())?);
            Ok(())
        }
    }
}

/// Signs a token.
pub(super) fn mint(mint: &Mint) -> anyhow::Result<Secret> {
    PeerId::new(&mint.peer).context("--peer")?;
    let own = signer(mint)?;
    let now_s = now_s();
    let send = (!mint.may_send_to.is_empty()).then(|| mint.may_send_to.clone());
    let claims = Claims {
        sub: mint.peer.clone(),
        exp: now_s.saturating_add(mint.ttl_s),
        iat: Some(now_s),
        iss: mint.issuer.clone().or(own.issuer),
        tenant: mint.tenant.clone(),
        switchboard: SwitchboardClaims {
            role: if mint.backend { Role::Backend } else { Role::Peer },
            send,
            ..SwitchboardClaims::default()
        },
        ..Claims::default()
    };
    let audience = mint.audience.clone().or(own.audience);
    Ok(own.minter.mint(&claims, audience.as_deref())?)
}

fn signer(mint: &Mint) -> anyhow::Result<OwnIssuer> {
    let kid = mint.kid.as_deref();
    let minter = if let Some(file) = &mint.key_file {
        Minter::from_private_pem_file(file, kid)?
    } else if let Some(file) = &mint.secret_file {
        let secret =
            std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        Minter::hs256(&Secret::new(secret.trim_end()))?.with_kid(kid)
    } else {
        return from_config(mint.config.as_deref());
    };
    Ok(OwnIssuer {
        minter,
        issuer: None,
        audience: Some("switchboard".to_owned()),
    })
}

fn from_config(file: Option<&Path>) -> anyhow::Result<OwnIssuer> {
    let settings = config::settings(file)?;
    let verifier =
        Verifier::new(settings.auth).map_err(|error| ConfigError::new(error.key, error.problem))?;
    let problem = "no shared secret to sign with; give --secret-file or --key-file";
    let own = verifier
        .own_issuer()
        .ok_or_else(|| ConfigError::new("auth.hs256_secret", problem))?;
    Ok(own)
}

fn from_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_TOKEN_BYTES)
        .read_to_string(&mut text)
        .context("standard input cannot be read")?;
    Ok(text)
}

fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
