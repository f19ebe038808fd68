//! Redis and Valkey of other versions than that on PATH, where `scripts/setup` could install them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The server of this release: `redis-6.2`, `redis-8.2`, `valkey-8.1` or `valkey-9.1`.
///
/// # Errors
/// When it is not installed, with the fix.
pub fn find_redis(release: &str) -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let path = root.map(|root| root.join(".tools/redis/bin").join(release));
    let found = path.filter(|path| path.is_file());
    found.with_context(|| format!("{release} is not in .tools/redis; run scripts/setup"))
}
