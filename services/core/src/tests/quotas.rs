//! Rates of tenants and addresses, bounds that tokens claim, and the connections of a tenant on other nodes.

use std::{num::NonZeroU32, time::Instant};

use switchboard_protocol::{GrantLimits, PeerKey};
use switchboard_telemetry::{BudgetScope, Telemetry};

use super::{
    harness::{Node, key},
    room_bus::{RoomBus, quiet, reads},
};
use crate::{Limits, RaisedLimits, TenantUsage, limits::budgets::Budgets};

fn peer(name: &str) -> PeerKey {
    PeerKey::parse(name).unwrap()
}

fn budgets(limits: Limits) -> Budgets {
    Budgets::new(&std::sync::Arc::new(limits), &Telemetry::new("n1"))
}

fn connections(count: u32) -> GrantLimits {
    GrantLimits {
        tenant_connections: NonZeroU32::new(count),
        ..GrantLimits::default()
    }
}

fn usage(tenant: &str, count: usize) -> TenantUsage {
    TenantUsage::parse(&format!("{tenant}/{count}"))
}

#[test]
fn the_peers_of_a_tenant_share_its_rate_and_another_tenant_has_its_own() {
    let budgets = budgets(Limits {
        tenant_messages_per_second: 10,
        ..Limits::default()
    });
    let taken = |name: &str| {
        let account = budgets.account(&peer(name), Instant::now());
        (0..200).filter(|_| account.take_command().is_ok()).count()
    };
    let (alice, bob) = (taken("acme/alice"), taken("acme/bob"));
    assert!((40..60).contains(&(alice + bob)), "{alice} and {bob}");
    assert!(taken("other/alice") >= 40);
}

#[test]
fn a_command_that_the_tenant_refuses_costs_the_peer_nothing() {
    let budgets = budgets(Limits {
        tenant_messages_per_second: 1,
        message_burst: 100,
        messages_per_second: 1,
        ..Limits::default()
    });
    let account = budgets.account(&peer("acme/alice"), Instant::now());
    for _ in 0..1000 {
        let _ = account.take_command();
    }
    let other = budgets.account(&peer("acme/bob"), Instant::now());
    assert!(other.take_command().is_err(), "the tenant's rate is used up");
    let wait = account.take_command().unwrap_err();
    assert!(
        wait.as_secs() < 5,
        "it waits for its tenant, not for 1,000 commands of its own: {wait:?}"
    );
}

#[test]
fn all_connections_of_an_address_share_its_rate_and_it_is_forgotten_with_the_last_one() {
    let limits = Limits {
        address_messages_per_second: 10,
        ..Limits::default()
    };
    let node = Node::with_limits("n1", limits);
    let address = |last: u8| node.router.address([192, 0, 2, last].into()).unwrap();
    let (one, again, other) = (address(1), address(1), address(2));
    let taken =
        |account: &crate::AddressAccount| (0..200).filter(|_| account.take_commands(1).is_ok()).count();
    let (first, second) = (taken(&one), taken(&again));
    assert!((40..60).contains(&(first + second)), "{first} and {second}");
    assert!(taken(&other) >= 40);
    let refused = node.metric("switchboard_budget_refusals_total{budget=\"commands\",scope=\"address\"}");
    assert!(refused > 0.0);
    drop((one, again));
    assert!(taken(&address(1)) >= 40, "a new account");
    assert!(
        Node::new("n2").router.address([192, 0, 2, 1].into()).is_none(),
        "no bound, no account"
    );
}

#[test]
fn a_token_lowers_the_rate_of_its_peer_and_raises_it_as_far_as_the_operator_says() {
    let node = Node::with_limits(
        "n1",
        Limits {
            messages_per_second: 100,
            message_burst: 100,
            raised: RaisedLimits {
                messages_per_second: 500,
                ..RaisedLimits::default()
            },
            ..Limits::default()
        },
    );
    let account = node.router.account(&key("alice"));
    let claim = |per_second, burst| GrantLimits {
        messages_per_second: NonZeroU32::new(per_second),
        message_burst: NonZeroU32::new(burst),
        ..GrantLimits::default()
    };
    account.apply(Some(&claim(900, 900)));
    assert_eq!(account.command_rate(), (500, 100));
    account.apply(Some(&claim(2, 3)));
    assert_eq!(account.command_rate(), (2, 3));
    assert_eq!((0..100).filter(|_| account.take_command().is_ok()).count(), 3);
    account.apply(None);
    assert_eq!(account.command_rate(), (100, 100));
}

#[test]
fn the_connections_of_a_tenant_on_other_nodes_count() {
    let budgets = budgets(Limits {
        tenant_connections: 5,
        connections_per_peer: 0,
        ..Limits::default()
    });
    let account = budgets.account(&peer("acme/alice"), Instant::now());
    let first = account.connect(None).unwrap();
    budgets.set_elsewhere(&usage("acme", 3));
    let _second = account.connect(None).unwrap();
    assert_eq!(account.connect(None).err(), Some(BudgetScope::Tenant));
    assert_eq!(
        budgets.usage(),
        usage("acme", 2),
        "the refused one is not counted"
    );
    drop(first);
    let _third = account.connect(None).unwrap();
    budgets.set_elsewhere(&usage("other", 9));
    assert!(account.connect(None).is_ok(), "the others have none any more");
}

#[test]
fn a_token_claims_the_quota_of_its_tenant_within_the_operators() {
    let claimed = |limits: Limits, count: u32| {
        let budgets = budgets(Limits {
            connections_per_peer: 0,
            ..limits
        });
        let account = budgets.account(&peer("acme/alice"), Instant::now());
        let claim = connections(count);
        let places: Vec<_> = (0..10)
            .map_while(|_| account.connect(Some(&claim)).ok())
            .collect();
        places.len()
    };
    assert_eq!(claimed(Limits::default(), 4), 4);
    let bounded = Limits {
        tenant_connections: 3,
        ..Limits::default()
    };
    assert_eq!(claimed(bounded.clone(), 4), 3);
    let raised = RaisedLimits {
        tenant_connections: 6,
        ..RaisedLimits::default()
    };
    assert_eq!(claimed(Limits { raised, ..bounded }, 9), 6);
}

#[test]
fn a_token_claims_how_many_rooms_its_tenant_has_until_a_newer_token_says_otherwise() {
    let bus = RoomBus::default();
    let n1 = bus.node("n1");
    let alice = n1.attach("alice");
    let account = alice.session().account();
    let claim = |rooms| GrantLimits {
        rooms_per_tenant: NonZeroU32::new(rooms),
        ..GrantLimits::default()
    };
    let join = |room: &str| {
        n1.join(&alice, room);
        quiet(&[&n1]);
        reads(&alice).remove(0)
    };
    account.apply(Some(&claim(2)));
    assert_eq!(join("r1"), "joined r1 alice");
    assert_eq!(join("r2"), "joined r2 alice");
    assert_eq!(join("r3"), "1 room-full");
    account.apply(Some(&claim(3)));
    assert_eq!(join("r3"), "joined r3 alice");
    assert_eq!(join("r4"), "1 room-full");
    account.apply(None);
    assert_eq!(join("r4"), "joined r4 alice");
}
