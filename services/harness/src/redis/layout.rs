//! How many Redis servers there are and in which mode, as one word: `standalone`, `sentinel`, `cluster:3+3`, `sharded:3`.

use std::{fmt, str::FromStr};

use anyhow::Context as _;

/// The most servers of a deployment; each is a process.
const MAX_SERVERS: usize = 24;

/// The servers of a deployment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum RedisLayout {
    /// One server.
    #[default]
    Standalone,
    /// A master, replicas of it, and three Sentinels.
    Sentinel {
        /// Replicas.
        replicas: usize,
    },
    /// A Redis Cluster. The replicas are spread over the masters in turn.
    Cluster {
        /// Masters; the slots are spread evenly over them.
        masters: usize,
        /// Replicas of all masters together.
        replicas: usize,
    },
    /// Servers that do not know of each other.
    Sharded {
        /// Servers.
        servers: usize,
    },
}

impl RedisLayout {
    /// One layout of each mode, as small as it can be with a failover.
    pub const ALL: [Self; 4] = [
        Self::Standalone,
        Self::Sentinel { replicas: 1 },
        Self::Cluster {
            masters: 3,
            replicas: 3,
        },
        Self::Sharded { servers: 3 },
    ];

    /// The value of `redis_mode` in a node's configuration.
    #[must_use]
    pub const fn mode(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Sentinel { .. } => "sentinel",
            Self::Cluster { .. } => "cluster",
            Self::Sharded { .. } => "sharded",
        }
    }

    /// The data servers, without Sentinels.
    #[must_use]
    pub const fn servers(self) -> usize {
        match self {
            Self::Standalone => 1,
            Self::Sentinel { replicas } => 1 + replicas,
            Self::Cluster { masters, replicas } => masters + replicas,
            Self::Sharded { servers } => servers,
        }
    }
}

impl fmt::Display for RedisLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mode())?;
        match self {
            Self::Standalone | Self::Sentinel { replicas: 1 } => Ok(()),
            Self::Sentinel { replicas } => write!(f, ":{replicas}"),
            Self::Cluster { masters, replicas } => write!(f, ":{masters}+{replicas}"),
            Self::Sharded { servers } => write!(f, ":{servers}"),
        }
    }
}

impl FromStr for RedisLayout {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        parse(text).with_context(|| {
            format!(
                "`{text}` is no layout of Redis; say standalone, sentinel, sentinel:2 (replicas), cluster:3 (masters), \
                 cluster:3+3 (masters and replicas) or sharded:3 (servers), with at most {MAX_SERVERS} servers"
            )
        })
    }
}

fn parse(text: &str) -> Option<RedisLayout> {
    let (mode, counts) = text
        .split_once(':')
        .map_or((text, None), |(mode, counts)| (mode, Some(counts)));
    let number = |text: &str| text.parse::<usize>().ok();
    let layout = match (mode, counts) {
        ("standalone", None) => RedisLayout::Standalone,
        ("sentinel", None) => RedisLayout::Sentinel { replicas: 1 },
        ("sentinel", Some(replicas)) => RedisLayout::Sentinel {
            replicas: number(replicas).filter(|count| *count >= 1)?,
        },
        ("cluster", Some(counts)) => {
            let (masters, replicas) = counts.split_once('+').unwrap_or((counts, "0"));
            RedisLayout::Cluster {
                // Fewer than three masters elect nobody.
                masters: number(masters).filter(|count| *count >= 3)?,
                replicas: number(replicas)?,
            }
        }
        ("sharded", Some(servers)) => RedisLayout::Sharded {
            servers: number(servers).filter(|count| *count >= 1)?,
        },
        _ => return None,
    };
    (layout.servers() <= MAX_SERVERS).then_some(layout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_written_as_it_is_read() {
        for text in [
            "standalone",
            "sentinel",
            "sentinel:2",
            "cluster:3+3",
            "cluster:6+0",
            "sharded:3",
        ] {
            assert_eq!(text.parse::<RedisLayout>().unwrap().to_string(), text);
        }
        let masters: RedisLayout = "cluster:4".parse().unwrap();
        assert_eq!(
            (masters.servers(), masters.to_string().as_str()),
            (4, "cluster:4+0")
        );
    }

    #[test]
    fn anything_else_is_refused_with_the_forms_there_are() {
        for text in [
            "",
            "cluster",
            "cluster:2+2",
            "cluster:3+x",
            "sharded:0",
            "sharded:25",
            "sentinel:0",
            "standalone:2",
        ] {
            let error = text.parse::<RedisLayout>().unwrap_err().to_string();
            assert!(error.contains("cluster:3+3"), "{error}");
        }
    }
}
