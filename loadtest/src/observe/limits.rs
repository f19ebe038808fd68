//! Limits of the machine, from /proc. `preflight` draws the conclusions.

use std::fs;

use anyhow::Context as _;

/// Open files allowed for a process: now (soft), and the most it may ask for (hard). `u64::MAX` if unlimited.
///
/// # Errors
/// When there is no /proc.
pub(crate) fn open_files_limits() -> anyhow::Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/self/limits").context("/proc/self/limits cannot be read")?;
    parse_open_files(&text).context("/proc/self/limits has no `Max open files`")
}

/// The first and the last port that the system takes for outgoing connections.
///
/// # Errors
/// When there is no /proc.
pub(crate) fn ephemeral_ports() -> anyhow::Result<(u16, u16)> {
    let file = "/proc/sys/net/ipv4/ip_local_port_range";
    let text = fs::read_to_string(file).with_context(|| format!("{file} cannot be read"))?;
    let mut words = text.split_whitespace().map(str::parse);
    match (words.next(), words.next()) {
        (Some(Ok(first)), Some(Ok(last))) => Ok((first, last)),
        _ => anyhow::bail!("{file} does not hold two ports"),
    }
}

/// Memory in KiB: `MemAvailable`, which programs can still have, or `MemTotal`.
///
/// # Errors
/// When there is no /proc.
pub(crate) fn memory_kib(what: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("/proc/meminfo cannot be read")?;
    let found = text.lines().find_map(|line| {
        let rest = line.strip_prefix(what)?.strip_prefix(':')?;
        rest.trim().trim_end_matches(" kB").parse().ok()
    });
    found.with_context(|| format!("/proc/meminfo has no {what}"))
}

fn parse_open_files(text: &str) -> Option<(u64, u64)> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let number = |word: &str| match word {
        "unlimited" => Some(u64::MAX),
        word => word.parse().ok(),
    };
    let mut words = line.split_whitespace();
    Some((number(words.next()?)?, number(words.next()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_read_as_numbers_or_unlimited() {
        let text = "Limit  Soft Limit  Hard Limit  Units\nMax open files            20000                unlimited            files     \n";
        assert_eq!(parse_open_files(text), Some((20_000, u64::MAX)));
        assert_eq!(parse_open_files("Max open files some"), None);
    }
}
