//! Addresses and networks: the group that shares one bound, and the networks of trusted proxies. Not where an address
//! comes from (`visitor`).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Bits of an IPv6 address that name a network. One client can have every address of it.
const IPV6_GROUP_BITS: u8 = 64;

/// The addresses that share one bound: one of IPv4, or one /64 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AddressGroup(IpAddr);

impl AddressGroup {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => Self(masked(address.into(), IPV6_GROUP_BITS)),
        }
    }
}

impl From<AddressGroup> for IpAddr {
    fn from(group: AddressGroup) -> Self {
        group.0
    }
}

/// A network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.bits) == self.address
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not a network; write `10.0.0.0/8`, `2001:db8::/32` or one address");
        let (address, bits) = match text.split_once('/') {
            None => (text, None),
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return Err(wrong());
        }
        let network = masked(address, bits);
        if network != address {
            return Err(format!(
                "`{text}` has bits after its prefix; write `{network}/{bits}`"
            ));
        }
        Ok(Self { address, bits })
    }
}

/// The first `bits` of `address`; the others are zero.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    let bits = u32::from(bits);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_has_one_group_however_many_addresses_of_its_network_it_uses() {
        let group = |text| AddressGroup::of(ip(text));
        assert_eq!(group("2001:db8:1:2::1"), group("2001:db8:1:2:ffff::9"));
        assert_ne!(group("2001:db8:1:2::1"), group("2001:db8:1:3::1"));
        assert_ne!(group("192.0.2.1"), group("192.0.2.2"));
        assert_eq!(group("::ffff:192.0.2.1"), group("192.0.2.1"));
    }

    #[test]
    fn networks_are_read_as_operators_write_them() {
        let network = |text: &str| Network::from_str(text);
        let ten = network("10.0.0.0/8").unwrap();
        assert!(ten.contains(ip("10.9.9.9")) && ten.contains(ip("::ffff:10.1.1.1")));
        assert!(!ten.contains(ip("11.0.0.1")) && !ten.contains(ip("::1")));
        assert!(network("0.0.0.0/0").unwrap().contains(ip("192.0.2.1")));
        assert!(network("::/0").unwrap().contains(ip("2001:db8::1")));
        assert!(network("127.0.0.1").unwrap().contains(ip("127.0.0.1")));
        assert!(network("10.0.0.1/8").unwrap_err().contains("write `10.0.0.0/8`"));
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "proxy.example",
            "10.0.0.0/",
            "::/129",
        ] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }
}
