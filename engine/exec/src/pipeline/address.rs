//! IP addresses within texts.

use std::net::IpAddr;

/// Bytes of the longest address.
const ADDRESS_BYTES_MAX: usize = 45;

/// Whether a text holds an address of the closed range from `first` to `last`.
pub(super) fn contains(text: &str, first: IpAddr, last: IpAddr) -> bool {
    addresses(text)
        .any(|found| found.is_ipv4() == first.is_ipv4() && first <= found && found <= last)
}

/// The addresses of a text: runs of the characters that addresses are made of.
fn addresses(text: &str) -> impl Iterator<Item = IpAddr> {
    text.split(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':')
        .filter(|run| run.len() >= 2 && run.contains(['.', ':']))
        .filter_map(address)
}

/// The address that a run of characters is, or begins with: a port or a dot may follow.
fn address(run: &str) -> Option<IpAddr> {
    let trimmed = run.trim_end_matches(['.', ':']);
    for run in [run, trimmed] {
        if run.len() <= ADDRESS_BYTES_MAX
            && let Ok(found) = run.parse()
        {
            return Some(found);
        }
    }
    let (host, _) = trimmed.split_once(':')?;
    host.parse().ok()
}
