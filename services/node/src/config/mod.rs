//! The configuration of a node. Each section of the file is a module here: its keys with their defaults, and the check
//! that turns them into the settings of one part of the node.

mod auth;
mod broker;
mod check;
mod demo;
mod drain;
mod error;
mod ice;
mod keys;
mod limits;
mod load;
mod node;
mod ops;
mod port_tls;
mod print;
mod rebalance;
mod secret_files;
mod section;
mod server;
mod session;
mod settings;
mod telemetry;
mod tls;
mod variables;
mod webhooks;

pub use auth::{AuthSection, IssuerSection, SubjectMapping};
pub use broker::{BrokerKind, BrokerSection, BrokerSettings, RedisMode};
pub use demo::DemoSection;
pub use drain::{DrainSection, DrainSettings};
pub use error::ConfigError;
pub use ice::{IceSection, RegionSection};
pub use keys::Config;
pub use limits::LimitsSection;
pub use load::{load, parse, settings};
pub use node::NodeSection;
pub use ops::OpsSection;
pub use port_tls::{ClientAuth, MinVersion, PortTlsSection};
pub use print::{default_toml, schema};
pub use rebalance::RebalanceSection;
pub use secret_files::SecretFiles;
pub use server::ServerSection;
pub use session::SessionSection;
pub use settings::Settings;
pub use telemetry::{LogFormat, TelemetrySection};
pub use tls::TlsSection;
pub use webhooks::{EndpointSection, WebhooksSection};
