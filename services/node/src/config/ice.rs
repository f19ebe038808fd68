//! `[ice]`: the STUN and TURN servers that peers get, by region.

use std::path::PathBuf;

use hyper::header::HeaderName;
use switchboard_auth::{IceConfig, IceRegionConfig, IceServersConfig};
use switchboard_protocol::Secret;

use super::{check, error::ConfigError, section::section};

section! {
    /// `[ice]`.
    IceSection {
        /// `stun:` URLs.
        stun_urls: Vec<String> = Vec::new(),
        /// `turn:` and `turns:` URLs.
        turn_urls: Vec<String> = Vec::new(),
        /// The secret shared with the TURN servers (coturn: `static-auth-secret`).
        #[schemars(with = "String")]
        turn_secret: Secret = Secret::default(),
        /// A file that holds that secret.
        turn_secret_file: Option<PathBuf> = None,
        /// How long TURN credentials are valid, in seconds.
        turn_ttl_s: u64 = 3_600,
        /// The header in which proxies of `server.trusted_proxies` name the region of a client; empty: none.
        region_header: String = String::new(),
        /// Regions with their own TURN servers, each a table `[[ice.regions]]`. Only in the file.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        regions: Vec<RegionSection> = Vec::new(),
    }
}

section! {
    /// One of `[[ice.regions]]`. Keys that it does not set are those of `[ice]`.
    RegionSection {
        /// Its name.
        name: String = String::new(),
        /// Other values of `ice.region_header` that mean this region, for example codes of countries.
        header_values: Vec<String> = Vec::new(),
        /// `stun:` URLs; empty: those of `[ice]`.
        stun_urls: Vec<String> = Vec::new(),
        /// `turn:` and `turns:` URLs of this region.
        turn_urls: Vec<String> = Vec::new(),
        /// The secret shared with these TURN servers.
        #[schemars(with = "String")]
        turn_secret: Secret = Secret::default(),
        /// A file that holds that secret.
        turn_secret_file: Option<PathBuf> = None,
        /// How long credentials of this region are valid, in seconds.
        turn_ttl_s: Option<u64> = None,
    }
}

impl IceSection {
    pub(super) fn check(&self) -> Result<IceConfig, ConfigError> {
        let file = self.turn_secret_file.as_deref();
        let servers = IceServersConfig {
            stun_urls: self.stun_urls.clone(),
            turn_urls: self.turn_urls.clone(),
            turn_secret: check::secret("ice.turn_secret", &self.turn_secret, file)?,
            turn_ttl_s: self.turn_ttl_s,
        };
        let listed = (0..).zip(&self.regions);
        let regions = listed
            .map(|(number, region)| region.check(&format!("ice.regions[{number}]"), &servers))
            .collect::<Result<_, _>>()?;
        Ok(IceConfig { servers, regions })
    }

    /// The header that names regions, if there is one.
    pub(super) fn check_header(&self, trusted_proxies: &[String]) -> Result<Option<HeaderName>, ConfigError> {
        const KEY: &str = "ice.region_header";
        if self.region_header.is_empty() {
            return Ok(None);
        }
        let problem = if trusted_proxies.is_empty() {
            "needs server.trusted_proxies: from anybody else the header proves nothing"
        } else if self.regions.is_empty() {
            "needs [[ice.regions]], which it chooses from"
        } else if let Ok(name) = self.region_header.parse() {
            return Ok(Some(name));
        } else {
            "is not the name of a header"
        };
        Err(ConfigError::new(KEY, problem))
    }
}

impl RegionSection {
    fn check(&self, at: &str, default: &IceServersConfig) -> Result<IceRegionConfig, ConfigError> {
        let file = self.turn_secret_file.as_deref();
        let secret = check::secret(&format!("{at}.turn_secret"), &self.turn_secret, file)?;
        let stun_urls = match self.stun_urls.is_empty() {
            true => &default.stun_urls,
            false => &self.stun_urls,
        };
        Ok(IceRegionConfig {
            name: self.name.clone(),
            header_values: self.header_values.clone(),
            servers: IceServersConfig {
                stun_urls: stun_urls.clone(),
                turn_urls: self.turn_urls.clone(),
                turn_secret: secret.or_else(|| default.turn_secret.clone()),
                turn_ttl_s: self.turn_ttl_s.unwrap_or(default.turn_ttl_s),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(toml: &str) -> IceSection {
        toml::from_str(toml).unwrap()
    }

    const REGIONS: &str = r#"
        stun_urls = ["stun:all.example"]
        turn_urls = ["turn:all.example"]
        turn_secret = "of-all"
        region_header = "X-Region"
        [[regions]]
        name = "eu"
        turn_urls = ["turn:eu.example"]
        [[regions]]
        name = "us"
        stun_urls = ["stun:us.example"]
        turn_urls = ["turn:us.example"]
        turn_secret = "of-us"
        turn_ttl_s = 60
    "#;

    #[test]
    fn a_region_has_the_keys_of_the_section_that_it_does_not_set() {
        let config = section(REGIONS).check().unwrap();
        let [eu, us] = &config.regions[..] else {
            panic!("{config:?}")
        };
        let secret =
            |region: &IceRegionConfig| region.servers.turn_secret.clone().unwrap().expose().to_owned();
        assert_eq!(
            (&eu.servers.stun_urls[..], secret(eu), eu.servers.turn_ttl_s),
            (&["stun:all.example".to_owned()][..], "of-all".to_owned(), 3_600)
        );
        assert_eq!(
            (&us.servers.stun_urls[..], secret(us), us.servers.turn_ttl_s),
            (&["stun:us.example".to_owned()][..], "of-us".to_owned(), 60)
        );
    }

    #[test]
    fn a_header_needs_a_proxy_that_is_trusted_and_regions_to_choose_from() {
        let proxies = ["10.0.0.0/8".to_owned()];
        let regions = section(REGIONS);
        let name = regions.check_header(&proxies).unwrap().unwrap();
        assert_eq!(name, "x-region");
        assert!(IceSection::default().check_header(&[]).unwrap().is_none());
        let alone = section("region_header = \"x-region\"");
        let wrong = IceSection {
            region_header: "x region".into(),
            ..section(REGIONS)
        };
        for (section, proxies, why) in [
            (&regions, &[][..], "server.trusted_proxies"),
            (&alone, &proxies[..], "[[ice.regions]]"),
            (&wrong, &proxies[..], "not the name of a header"),
        ] {
            let error = section.check_header(proxies).unwrap_err();
            assert!(
                error.key == "ice.region_header" && error.problem.contains(why),
                "{error:?}"
            );
        }
    }
}
