//! The plan of a benchmark, from `presets/bench.toml` or `presets/bench-modes.toml`: groups of scenarios, their rows, the figures of each row, and
//! the most that a figure may be. Nothing runs here.

use std::path::Path;

use anyhow::Context as _;
use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    scenario::{self, Scenario},
    thresholds::Figure,
};

const TEXT: &str = include_str!("../../presets/bench.toml");
const MODES_TEXT: &str = include_str!("../../presets/bench-modes.toml");

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Full,
    Quick,
    Smoke,
}

/// One value for each size.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BySize<T> {
    full: T,
    quick: T,
    smoke: T,
}

/// Everything that is run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    repeats: BySize<u32>,
    pub(super) groups: Vec<Group>,
}

/// Rows that run the same scenario with overrides of their own.
#[derive(Debug, Deserialize)]
pub(super) struct Group {
    pub(super) slug: String,
    pub(super) title: String,
    #[serde(default)]
    about: String,
    /// The comparison table's columns; a group without columns has no such table.
    #[serde(default)]
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    scenario: toml::Table,
    #[serde(flatten)]
    sets: BySize<Vec<String>>,
}

/// One way to run the group's scenario.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) slug: String,
    #[serde(default)]
    pub(super) budgets: Vec<Budget>,
    /// Tokens are signed with a fresh ES256 key.
    #[serde(default)]
    es256: bool,
    #[serde(default)]
    set: Vec<String>,
    #[serde(flatten)]
    sets: BySize<Vec<String>>,
}

/// A column of a comparison table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Column {
    pub(super) head: String,
    #[serde(deserialize_with = "figure")]
    pub(super) value: Figure,
    /// Makes the column's unit of the figure's.
    #[serde(default = "one")]
    pub(super) divide_by: f64,
}

/// A figure and the most that its median may be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Budget {
    /// Its name; the row's if left out.
    pub(super) figure: Option<String>,
    #[serde(deserialize_with = "figure")]
    pub(super) value: Figure,
    /// The row of the same group whose value is subtracted, repeat by repeat.
    pub(super) baseline: Option<String>,
    pub(super) unit: String,
    pub(super) at_most: f64,
}

fn figure<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Figure, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(D::Error::custom)
}

const fn one() -> f64 {
    1.0
}

impl<T> BySize<T> {
    const fn of(&self, size: Size) -> &T {
        match size {
            Size::Full => &self.full,
            Size::Quick => &self.quick,
            Size::Smoke => &self.smoke,
        }
    }
}

impl Plan {
    /// The embedded plan, or that of the modes of Redis.
    pub(super) fn read(modes: bool) -> anyhow::Result<Self> {
        let text = if modes { MODES_TEXT } else { TEXT };
        toml::from_str(text).context("the benchmark's plan")
    }

    pub(super) const fn repeats(&self, size: Size) -> u32 {
        *self.repeats.of(size)
    }
}

impl Group {
    /// The scenario of one of its rows. Keys that are made for it go to `folder`.
    pub(super) fn scenario(&self, row: &Row, size: Size, folder: &Path) -> anyhow::Result<Scenario> {
        let name = format!("name = \"{}-{}\"\n", self.slug, row.slug);
        let sets = [self.sets.of(size), &row.set, row.sets.of(size)];
        let sets: Vec<String> = sets.into_iter().flatten().cloned().collect();
        let mut scenario = scenario::load(&(name + &toml::to_string(&self.scenario)?), &sets)?;
        scenario.about = format!("{}, {}", self.title, row.name);
        if row.es256 {
            make_key(folder)?;
            scenario.target.key_file = Some(folder.join("private.pem"));
            scenario.target.key_id = Some("bench".to_owned());
            let trusted = folder.join("trusted").display().to_string();
            scenario.cluster.config = format!("[auth]\npublic_keys_dir = {trusted:?}\n");
        }
        scenario::check(&scenario).map_err(|problems| anyhow::anyhow!(problems.join("\n")))?;
        Ok(scenario)
    }

    /// What the group measures, in a sentence.
    pub(super) fn about(&self, size: Size, folder: &Path) -> anyhow::Result<String> {
        let first = self.rows.first().context("a group without rows")?;
        let seconds = self.scenario(first, size, folder)?.length().as_secs();
        Ok(self.about.replace("{seconds}", &seconds.to_string()))
    }
}

/// Writes a fresh P-256 key as `private.pem`, and its public half into the folder `trusted`.
fn make_key(folder: &Path) -> anyhow::Result<()> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
    std::fs::create_dir_all(folder.join("trusted"))?;
    let pem = |label: &str, der: &[u8]| {
        let text = STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    std::fs::write(
        folder.join("private.pem"),
        pem("PRIVATE KEY", pair.to_pkcs8v1()?.as_ref()),
    )?;
    std::fs::write(
        folder.join("trusted/bench.pem"),
        pem("PUBLIC KEY", public.as_ref()),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_sound_scenario_in_every_size() {
        let folder = tempfile::tempdir().unwrap();
        let sizes = [Size::Full, Size::Quick, Size::Smoke];
        for (size, modes) in sizes.into_iter().flat_map(|size| [(size, false), (size, true)]) {
            let plan = Plan::read(modes).unwrap();
            assert!(plan.repeats(size) > 0);
            for group in &plan.groups {
                for row in &group.rows {
                    let scenario = group.scenario(row, size, folder.path());
                    scenario.unwrap_or_else(|error| panic!("{}-{}: {error:#}", group.slug, row.slug));
                    for slug in row.budgets.iter().filter_map(|budget| budget.baseline.as_ref()) {
                        assert!(group.rows.iter().any(|row| row.slug == *slug), "{slug}");
                    }
                }
            }
        }
    }
}
