//! The `iceServers` for a peer: URLs of its region from the configuration, and TURN credentials for this peer. Not here: the
//! STUN and TURN servers, and which region is a client's (crate `edge`).

use std::{collections::HashMap, num::NonZeroU8};

use switchboard_protocol::{IceServer, PeerId, RegionId};

use crate::{
    IceConfig, IceConfigError, IceRegionConfig, IceServersConfig, MAX_HEADER_VALUES, MAX_ICE_REGIONS,
    TurnMinter,
    ice_config::{check_header_value, check_servers},
};

/// One of the regions of [`IceServers`]: the place of its table, from 1. The default is the section `[ice]` itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Region(Option<NonZeroU8>);

/// Checked ICE servers.
#[derive(Debug, Clone)]
pub struct IceServers {
    default: RegionServers,
    regions: Vec<(RegionId, RegionServers)>,
    names: HashMap<RegionId, Region>,
    header_values: HashMap<String, Region>,
}

#[derive(Debug, Clone)]
struct RegionServers {
    stun_urls: Vec<String>,
    turn: Option<(Vec<String>, TurnMinter)>,
}

impl IceServers {
    /// Checks `config`.
    ///
    /// # Errors
    /// [`IceConfigError`], which names the key.
    pub fn new(config: IceConfig) -> Result<Self, IceConfigError> {
        let count = config.regions.len();
        if count > MAX_ICE_REGIONS {
            return Err(IceConfigError::TooManyRegions(count));
        }
        if count > 0 && config.servers.turn_urls.is_empty() {
            return Err(IceConfigError::NoDefault);
        }
        let mut servers = Self {
            default: RegionServers::new("ice", config.servers)?,
            regions: Vec::with_capacity(count),
            names: HashMap::new(),
            header_values: HashMap::new(),
        };
        for (number, region) in (1..).zip(config.regions) {
            let at = format!("ice.regions[{}]", number - 1);
            servers.add(at, Region(NonZeroU8::new(number)), region)?;
        }
        Ok(servers)
    }

    fn add(&mut self, at: String, region: Region, config: IceRegionConfig) -> Result<(), IceConfigError> {
        let name = match RegionId::new(&config.name) {
            Ok(name) => name,
            Err(error) => return Err(IceConfigError::Name(at, error)),
        };
        if config.servers.turn_urls.is_empty() {
            return Err(IceConfigError::NoTurn(at));
        }
        if config.header_values.len() > MAX_HEADER_VALUES {
            return Err(IceConfigError::TooManyHeaderValues(
                at,
                config.header_values.len(),
            ));
        }
        let servers = RegionServers::new(&at, config.servers)?;
        if self.names.insert(name.clone(), region).is_some() {
            return Err(IceConfigError::SameName(at, name));
        }
        for value in config.header_values {
            let checked = check_header_value(&value);
            let is_taken = self.header_values.insert(value.clone(), region).is_some();
            let why = match checked {
                Ok(()) if !is_taken => continue,
                Ok(()) => "is there twice",
                Err(why) => why,
            };
            return Err(IceConfigError::HeaderValue { at, value, why });
        }
        self.regions.push((name, servers));
        Ok(())
    }

    /// Whether there is more than the default.
    #[must_use]
    pub fn has_regions(&self) -> bool {
        !self.regions.is_empty()
    }

    /// The region of this name.
    #[must_use]
    pub fn region(&self, name: &str) -> Option<Region> {
        self.names.get(name).copied()
    }

    /// The region that a header with this value means: one of its `header_values`, or its name.
    #[must_use]
    pub fn region_of_header(&self, value: &str) -> Option<Region> {
        self.header_values
            .get(value)
            .copied()
            .or_else(|| self.region(value))
    }

    /// The name of `region`; the default has none.
    #[must_use]
    pub fn name(&self, region: Region) -> Option<&RegionId> {
        self.listed(region).map(|(name, _)| name)
    }

    fn listed(&self, Region(number): Region) -> Option<&(RegionId, RegionServers)> {
        self.regions.get(usize::from(number?.get()) - 1)
    }

    fn servers(&self, region: Region) -> &RegionServers {
        self.listed(region).map_or(&self.default, |(_, servers)| servers)
    }

    /// The servers of the default and of each region.
    fn all(&self) -> impl Iterator<Item = &RegionServers> {
        let regions = self.regions.iter().map(|(_, servers)| servers);
        std::iter::once(&self.default).chain(regions)
    }

    /// Signs later credentials with the secrets of `other`, which has the same servers. Clones do so too.
    pub fn use_secrets_of(&self, other: &Self) {
        for (own, other) in self.all().zip(other.all()) {
            if let (Some((_, own)), Some((_, other))) = (&own.turn, &other.turn) {
                own.use_secret_of(other);
            }
        }
    }

    /// As `RTCConfiguration.iceServers`, with TURN credentials for `peer` issued at `now_s` (seconds since
    /// the Unix epoch). Empty when nothing is configured.
    #[must_use]
    pub fn ice_servers(&self, region: Region, peer: &PeerId, now_s: u64) -> Vec<IceServer> {
        let servers = self.servers(region);
        let stun = (!servers.stun_urls.is_empty()).then(|| IceServer {
            urls: servers.stun_urls.clone(),
            username: None,
            credential: None,
        });
        let turn = servers.turn.as_ref().map(|(urls, minter)| {
            let credentials = minter.credentials(peer, now_s);
            IceServer {
                urls: urls.clone(),
                username: Some(credentials.username),
                credential: Some(credentials.credential),
            }
        });
        stun.into_iter().chain(turn).collect()
    }

    /// When credentials issued at `now_s` end, in seconds since the Unix epoch; 0 without TURN.
    #[must_use]
    pub fn expires_at(&self, region: Region, now_s: u64) -> u64 {
        let turn = self.servers(region).turn.as_ref();
        turn.map_or(0, |(_, minter)| minter.expires_at(now_s))
    }
}

impl RegionServers {
    fn new(at: &str, config: IceServersConfig) -> Result<Self, IceConfigError> {
        check_servers(at, &config)?;
        let turn = if config.turn_urls.is_empty() {
            None
        } else {
            let secret = config.turn_secret.filter(|secret| !secret.is_empty());
            let secret = secret.ok_or_else(|| IceConfigError::NoSecret(at.to_owned()))?;
            Some((config.turn_urls, TurnMinter::new(&secret, config.turn_ttl_s)))
        };
        Ok(Self {
            stun_urls: config.stun_urls,
            turn,
        })
    }
}
