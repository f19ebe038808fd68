//! Configuration that has been checked and turned into what each part of the node takes. Everything that
//! can be wrong is found here, before any port opens.

use std::{net::SocketAddr, path::Path, time::Duration};

use switchboard_auth::{AuthConfig, IceConfig};
use switchboard_broker::RedisConfig;
use switchboard_core::{Limits, MaxAge, RebalanceRate, RebalanceRules};
use switchboard_edge::{DrainPlan, EdgeConfig, RebalancePlan};
use switchboard_protocol::{NodeId, Secret};
use switchboard_telemetry::OtlpConfig;

use super::{BrokerKind, BrokerSection, Config, ConfigError, TelemetrySection};

/// Everything a node needs, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The node's name.
    pub node: NodeId,
    /// Address of the public port.
    pub listen: SocketAddr,
    /// Address of the operations port.
    pub ops_listen: SocketAddr,
    /// For the token verifier.
    pub auth: AuthConfig,
    /// For the bus.
    pub broker: BrokerSettings,
    /// For `core`.
    pub limits: Limits,
    /// For `edge`.
    pub edge: EdgeConfig,
    /// For ICE servers.
    pub ice: IceConfig,
    /// For the drain.
    pub drain: DrainSettings,
    /// For the balance between nodes.
    pub rebalance: RebalancePlan,
    /// For logs and traces.
    pub telemetry: TelemetrySection,
    /// The secret with which the demo page's tokens are signed, where it is enabled.
    pub demo_secret: Option<Secret>,
}

/// What joins the nodes.
#[derive(Debug, Clone)]
pub enum BrokerSettings {
    /// One node alone.
    Memory,
    /// Redis.
    Redis(RedisConfig),
}

/// How a node is emptied.
#[derive(Debug, Clone, Copy)]
pub struct DrainSettings {
    /// How long the node goes on as before after readiness is off.
    pub settle: Duration,
    /// The rest.
    pub plan: DrainPlan,
}

impl Settings {
    /// Checks `config`.
    ///
    /// # Errors
    /// [`ConfigError`] that names the first key that cannot be used.
    pub fn check(config: Config) -> Result<Self, ConfigError> {
        let secret = secret(
            "auth.hs256_secret",
            &config.auth.hs256_secret,
            config.auth.hs256_secret_file.as_deref(),
        )?;
        let ice = ice(&config)?;
        Ok(Self {
            node: node_id(&config.node.id)?,
            listen: config.server.listen,
            ops_listen: config.server.ops_listen,
            broker: broker(&config)?,
            limits: limits(&config)?,
            edge: edge(&config)?,
            ice,
            drain: drain(&config)?,
            rebalance: rebalance(&config)?,
            demo_secret: demo(&config, secret.as_ref())?,
            auth: auth(&config, secret)?,
            telemetry: telemetry(config.telemetry)?,
        })
    }

    /// Where traces go, if anywhere.
    #[must_use]
    pub fn otlp(&self) -> Option<OtlpConfig> {
        (!self.telemetry.otlp_endpoint.is_empty()).then(|| OtlpConfig {
            endpoint: self.telemetry.otlp_endpoint.clone(),
            service_instance: self.node.to_string(),
            sample_ratio: self.telemetry.trace_sample_ratio,
        })
    }
}

/// A secret from the configuration or from a file; a file wins nothing if both are given.
fn secret(key: &str, value: &Secret, file: Option<&Path>) -> Result<Option<Secret>, ConfigError> {
    match (value.is_empty(), file) {
        (true, None) => Ok(None),
        (false, None) => Ok(Some(value.clone())),
        (false, Some(_)) => Err(ConfigError::new(
            key,
            format!("set either {key} or {key}_file, not both"),
        )),
        (true, Some(path)) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                ConfigError::new(
                    format!("{key}_file"),
                    format!("{} cannot be read: {error}", path.display()),
                )
            })?;
            Ok(Some(Secret::new(text.trim_end_matches(['\n', '\r']))))
        }
    }
}

fn node_id(id: &str) -> Result<NodeId, ConfigError> {
    if !id.is_empty() {
        return NodeId::new(id).map_err(|error| ConfigError::new("node.id", error.to_string()));
    }
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host: String = host
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(64)
        .collect();
    let host = if host.is_empty() { "node".to_owned() } else { host };
    let suffix: u32 = rand::random();
    NodeId::new(&format!("{host}-{suffix:08x}"))
        .map_err(|error| ConfigError::new("node.id", error.to_string()))
}

fn auth(config: &Config, secret: Option<Secret>) -> Result<AuthConfig, ConfigError> {
    let section = &config.auth;
    let auth = AuthConfig {
        hs256_secrets: secret.into_iter().collect(),
        public_keys_dir: section.public_keys_dir.clone(),
        jwks_url: not_empty(&section.jwks_url),
        issuer: not_empty(&section.issuer),
        audience: not_empty(&section.audience),
        ..AuthConfig::default()
    };
    if auth.hs256_secrets.is_empty() && auth.public_keys_dir.is_none() && auth.jwks_url.is_none() {
        let problem =
            "no key to verify tokens with; set hs256_secret, hs256_secret_file, public_keys_dir or jwks_url";
        return Err(ConfigError::new("auth", problem));
    }
    Ok(auth)
}

fn not_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn broker(config: &Config) -> Result<BrokerSettings, ConfigError> {
    match config.broker.kind {
        BrokerKind::Memory => Ok(BrokerSettings::Memory),
        BrokerKind::Redis => {
            let (key, url) = redis_url(&config.broker)?;
            let redis = RedisConfig::new(url.expose());
            redis
                .check()
                .map_err(|error| ConfigError::new(key, error.to_string()))?;
            Ok(BrokerSettings::Redis(redis))
        }
    }
}

/// The one URL, and the key that it came from.
fn redis_url(section: &BrokerSection) -> Result<(&'static str, Secret), ConfigError> {
    let file = secret(
        "broker.redis_url",
        &Secret::default(),
        section.redis_url_file.as_deref(),
    )?;
    let urls = section.redis_urls.as_slice();
    match (file, urls) {
        (None, [url]) => Ok(("broker.redis_urls", url.clone())),
        (None, urls) => {
            let problem = format!(
                "redis_mode `standalone` takes exactly one URL, not {}",
                urls.len()
            );
            Err(ConfigError::new("broker.redis_urls", problem))
        }
        (Some(url), urls) => {
            let default = BrokerSection::default().redis_urls;
            let is_default = urls
                .iter()
                .map(Secret::expose)
                .eq(default.iter().map(Secret::expose));
            let problem = "set either broker.redis_urls or broker.redis_url_file, not both";
            is_default
                .then_some(("broker.redis_url_file", url))
                .ok_or_else(|| ConfigError::new("broker.redis_urls", problem))
        }
    }
}

fn limits(config: &Config) -> Result<Limits, ConfigError> {
    let (limits, session) = (&config.limits, &config.session);
    in_range("limits.message_bytes", limits.message_bytes, 1024, 16 << 20)?;
    in_range(
        "limits.messages_per_second",
        limits.messages_per_second,
        1,
        1_000_000,
    )?;
    in_range("limits.message_burst", limits.message_burst, 1, 1_000_000)?;
    in_range(
        "limits.send_queue_messages",
        limits.send_queue_messages,
        1,
        1 << 20,
    )?;
    in_range("limits.send_queue_bytes", limits.send_queue_bytes, 1024, 1 << 30)?;
    in_range("limits.pending_messages", limits.pending_messages, 1, 1 << 20)?;
    in_range("limits.pending_bytes", limits.pending_bytes, 1024, 1 << 30)?;
    in_range("session.send_deadline_ms", session.send_deadline_ms, 100, 60_000)?;
    in_range("session.heartbeat_ms", session.heartbeat_ms, 100, 600_000)?;
    in_range("session.resume_window_s", session.resume_window_s, 0, 3_600)?;
    Ok(Limits {
        message_bytes: limits.message_bytes,
        messages_per_second: limits.messages_per_second,
        message_burst: limits.message_burst,
        send_queue_bytes: limits.send_queue_bytes,
        send_queue_messages: limits.send_queue_messages,
        pending_messages: limits.pending_messages,
        pending_bytes: limits.pending_bytes,
        send_deadline: Duration::from_millis(session.send_deadline_ms),
        resume_window: Duration::from_secs(session.resume_window_s),
        heartbeat: Duration::from_millis(session.heartbeat_ms),
        ..Limits::default()
    })
}

fn edge(config: &Config) -> Result<EdgeConfig, ConfigError> {
    let (server, limits) = (&config.server, &config.limits);
    in_range(
        "server.handshake_timeout_ms",
        server.handshake_timeout_ms,
        100,
        120_000,
    )?;
    in_range("limits.connections", limits.connections, 1, 10_000_000)?;
    in_range("limits.handshakes", limits.handshakes, 1, 1_000_000)?;
    in_range(
        "limits.connects_per_second",
        limits.connects_per_second,
        1,
        1_000_000,
    )?;
    for origin in &server.allowed_origins {
        if origin != "*" && (!origin.contains("://") || origin.ends_with('/')) {
            let problem =
                format!("`{origin}` is no origin; write scheme and host as in `https://app.example`");
            return Err(ConfigError::new("server.allowed_origins", problem));
        }
    }
    Ok(EdgeConfig {
        allowed_origins: server.allowed_origins.clone(),
        accept_query_token: server.accept_query_token,
        max_connections: limits.connections,
        max_handshakes: limits.handshakes,
        connects_per_second: limits.connects_per_second,
        handshake_timeout: Duration::from_millis(server.handshake_timeout_ms),
    })
}

fn ice(config: &Config) -> Result<IceConfig, ConfigError> {
    let section = &config.ice;
    let turn_secret = secret(
        "ice.turn_secret",
        &section.turn_secret,
        section.turn_secret_file.as_deref(),
    )?;
    let (stun_urls, turn_urls) = (section.stun_urls.clone(), section.turn_urls.clone());
    Ok(IceConfig {
        stun_urls,
        turn_urls,
        turn_secret,
        turn_ttl_s: section.turn_ttl_s,
    })
}

fn drain(config: &Config) -> Result<DrainSettings, ConfigError> {
    let section = &config.drain;
    if section.window_ms + section.grace_ms > section.deadline_ms {
        let problem = "must be at least drain.window_ms + drain.grace_ms, or the last clients are cut off";
        return Err(ConfigError::new("drain.deadline_ms", problem));
    }
    in_range("drain.deadline_ms", section.deadline_ms, 0, 3_600_000)?;
    in_range("drain.settle_ms", section.settle_ms, 0, 600_000)?;
    let plan = DrainPlan {
        window: Duration::from_millis(section.window_ms),
        grace: Duration::from_millis(section.grace_ms),
        deadline: Duration::from_millis(section.deadline_ms),
    };
    Ok(DrainSettings {
        settle: Duration::from_millis(section.settle_ms),
        plan,
    })
}

fn rebalance(config: &Config) -> Result<RebalancePlan, ConfigError> {
    let section = &config.rebalance;
    in_range("rebalance.high_watermark", section.high_watermark, 1.01, 100.0)?;
    in_range(
        "rebalance.floor_connections",
        section.floor_connections,
        1,
        10_000_000,
    )?;
    in_range("rebalance.pace_share", section.pace_share, 0.0, 1.0)?;
    in_range(
        "rebalance.pace_connections",
        section.pace_connections,
        1,
        1_000_000,
    )?;
    in_range("rebalance.settle_ms", section.settle_ms, 0, 600_000)?;
    let jitter = section.max_connection_age_jitter;
    in_range("rebalance.max_connection_age_jitter", jitter, 0.0, 1.0)?;
    let age_s = section.max_connection_age_s;
    if age_s > 0 {
        in_range("rebalance.max_connection_age_s", age_s, 1, 31_536_000)?;
    }
    let max = Duration::from_secs(age_s);
    Ok(RebalancePlan {
        enabled: section.enabled,
        rules: RebalanceRules {
            high: section.high_watermark,
            floor: section.floor_connections,
            rate: RebalanceRate {
                share: section.pace_share,
                min: section.pace_connections,
            },
        },
        settle: Duration::from_millis(section.settle_ms),
        max_age: (age_s > 0).then_some(MaxAge { max, jitter }),
    })
}

fn demo(config: &Config, secret: Option<&Secret>) -> Result<Option<Secret>, ConfigError> {
    if !config.demo.enabled {
        return Ok(None);
    }
    if !config.server.listen.ip().is_loopback() {
        let problem = "hands a token to whoever asks, so server.listen must be a loopback address";
        return Err(ConfigError::new("demo.enabled", problem));
    }
    let problem = "needs auth.hs256_secret, with which its tokens are signed";
    secret
        .cloned()
        .map(Some)
        .ok_or_else(|| ConfigError::new("demo.enabled", problem))
}

fn telemetry(section: TelemetrySection) -> Result<TelemetrySection, ConfigError> {
    if !(0.0..=1.0).contains(&section.trace_sample_ratio) {
        return Err(ConfigError::new(
            "telemetry.trace_sample_ratio",
            "must be from 0 to 1",
        ));
    }
    Ok(section)
}

fn in_range<T: PartialOrd + std::fmt::Display>(
    key: &str,
    value: T,
    least: T,
    most: T,
) -> Result<(), ConfigError> {
    // Written so that what is no number is not in the range either.
    if !(value >= least && value <= most) {
        return Err(ConfigError::new(
            key,
            format!("is {value}; it must be from {least} to {most}"),
        ));
    }
    Ok(())
}
