//! The command line of those who operate a cluster: `switchboard status` and `switchboard top`, and what they share with
//! `switchboard webhooks`. Only its form.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::time::duration;

/// Who asks an operations port.
#[derive(Debug, Args)]
pub struct Operator {
    /// The node's configuration file, for its operations port and its token; the environment counts as for `serve`.
    #[arg(long, global = true)]
    pub config: Option<PathBuf>,
    /// A PEM file of authorities that may certify an https:// operations port, in addition to those of the system. The URL
    /// must name the host of the certificate.
    #[arg(long, global = true, env = "SWITCHBOARD_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// A file that holds the token of the operations port; default: the one of the configuration.
    #[arg(long, global = true)]
    pub token_file: Option<PathBuf>,
    /// That token itself. Better in the environment or a file than on the command line, where others can see it.
    #[arg(long, global = true, env = "SWITCHBOARD_OPS_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// The nodes that are asked.
#[derive(Debug, Args)]
pub struct Nodes {
    /// An operations port to ask, for example http://10.0.0.7:9090; can be given several times. A name with several addresses
    /// stands for all of them. Default: the node of the configuration.
    #[arg(
        long = "node",
        value_name = "URL",
        value_delimiter = ',',
        env = "SWITCHBOARD_OPS_URL"
    )]
    pub urls: Vec<String>,
    /// The operator.
    #[command(flatten)]
    pub operator: Operator,
}

/// `switchboard status`.
#[derive(Debug, Args)]
pub struct Status {
    /// The nodes.
    #[command(flatten)]
    pub nodes: Nodes,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

/// `switchboard top`.
#[derive(Debug, Args)]
pub struct Top {
    /// The nodes.
    #[command(flatten)]
    pub nodes: Nodes,
    /// How often the nodes are asked, for example 500ms or 5s.
    #[arg(long, default_value = "2s", value_parser = period)]
    pub every: Duration,
}

/// The shortest period. A node measures once a second.
const MIN_PERIOD: Duration = Duration::from_millis(100);

fn period(text: &str) -> Result<Duration, String> {
    let period = duration(text)?;
    if period < MIN_PERIOD {
        return Err("the shortest period is 100ms".into());
    }
    Ok(period)
}
