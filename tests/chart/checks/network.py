"""Network policies: everything is denied, and each configured connection has a rule. A port of the backend API alone."""

from support import check, config, node, of_kind, pods, the, value_sets


# The pods of OpenShift's DNS listen on 5353.
DNS = {("UDP", 53), ("TCP", 53), ("UDP", 5353), ("TCP", 5353)}


def policy(name, suffix="sb-switchboard"):
    """The specification of one policy."""
    return the(name, "NetworkPolicy", suffix)["spec"]


def ports(rules):
    """Every (protocol, port) that rules name."""
    return {(port["protocol"], port["port"]) for rule in rules for port in rule["ports"]}


def rule_for(rules, number):
    """The rule for a port."""
    return next(rule for rule in rules if any(port["port"] == number for port in rule["ports"]))


@check
def a_policy_denies_everything_to_all_pods():
    for name in value_sets():
        if name == "policy-off":
            assert not of_kind(name, "NetworkPolicy")
            continue
        deny = next(one for one in of_kind(name, "NetworkPolicy") if one["metadata"]["name"].endswith("-deny"))["spec"]
        assert deny["policyTypes"] == ["Ingress", "Egress"] and not deny.get("ingress") and not deny.get("egress")
        for owner, labels, _ in pods(name):
            assert deny["podSelector"]["matchLabels"].items() <= labels.items(), (name, owner)


@check
def a_node_may_reach_dns_and_redis_and_no_more():
    egress = policy("minimal")["egress"]
    assert ports(egress) == DNS | {("TCP", 6379)}
    assert rule_for(egress, 53)["to"][0]["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": "kube-system"
    }
    assert ports(policy("one-node")["egress"]) == DNS


@check
def sentinels_and_the_server_that_they_name_may_be_reached():
    egress = policy("redis-sentinel")["egress"]
    assert rule_for(egress, 26379) and rule_for(egress, 6380)


@check
def ports_of_redis_collector_and_key_server_are_taken_from_their_urls():
    assert rule_for(policy("redis-password")["egress"], 6380)["to"] == [{"ipBlock": {"cidr": "10.1.2.0/24"}}]
    assert rule_for(policy("node-settings")["egress"], 4317)["to"][0]["namespaceSelector"]
    assert rule_for(policy("jwks")["egress"], 443)
    assert rule_for(policy("jwks-without-test")["egress"], 8081)["to"][0]["namespaceSelector"]


@check
def the_operations_port_is_for_prometheus_only():
    ingress = policy("minimal")["ingress"]
    assert "from" not in rule_for(ingress, 8080)
    assert rule_for(ingress, 9090)["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    ]


@check
def clients_can_be_restricted_to_the_ingress_controller():
    sources = rule_for(policy("policy-strict")["ingress"], 8080)["from"]
    assert sources[0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ingress-nginx"}
    # The helm test comes from the release itself.
    selector = sources[1]["podSelector"]["matchLabels"]
    labels = next(labels for owner, labels, _ in pods("policy-strict") if owner.endswith("-selftest"))
    assert selector.items() <= labels.items()
    rules = policy("policy-strict")
    assert {"ports": [{"port": 9000}]} in rules["ingress"] and {"ports": [{"port": 9001}]} in rules["egress"]


@check
def in_an_ambient_mesh_its_port_and_the_probes_are_allowed():
    rules = policy("everything", "-ambient")
    assert ports(rules["egress"]) == {("TCP", 15008)} and rules["ingress"][0] == {"ports": [{"protocol": "TCP", "port": 15008}]}
    assert {"ipBlock": {"cidr": "169.254.7.127/32"}} in rules["ingress"][1]["from"]
    for _, labels, _ in pods("everything"):
        assert rules["podSelector"]["matchLabels"].items() <= labels.items()
    assert ("TCP", 5353) not in ports(policy("everything")["egress"])
    assert not of_kind("minimal", "NetworkPolicy", "-ambient")


@check
def every_service_has_the_address_families_and_that_of_clients_the_protocol_asked_for():
    services = of_kind("everything", "Service")
    assert len(services) == 3
    for one in services:
        assert (one["spec"]["ipFamilyPolicy"], one["spec"]["ipFamilies"]) == ("PreferDualStack", ["IPv6", "IPv4"])
        protocols = {port["name"]: port.get("appProtocol") for port in one["spec"]["ports"]}
        assert protocols.get("http", "kubernetes.io/ws") == "kubernetes.io/ws" and not protocols.get("ops"), protocols
    assert not any("ipFamilies" in one["spec"] or "appProtocol" in str(one) for one in of_kind("minimal", "Service"))


@check
def the_backend_api_has_a_port_of_its_own_where_one_is_chosen():
    assert config("api-port")["server"]["api_listen"] == "0.0.0.0:8081"
    assert {"name": "api", "containerPort": 8081} in node("api-port")[1]["ports"]
    service = the("api-port", "Service", "-api")["spec"]
    assert service["ports"] == [{"name": "api", "port": 8081, "targetPort": "api"}] and "type" not in service
    assert rule_for(policy("api-port")["ingress"], 8081)["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "backend"}}}
    ]
    # The latter has its backend API behind TLS.
    for name in set(value_sets()) - {"api-port", "node-tls"}:
        assert "api_listen" not in config(name)["server"] and not of_kind(name, "Service", "-api"), name
        assert [port["name"] for port in node(name)[1]["ports"]] == ["http", "ops"], name


@check
def quotas_proxies_and_the_hold_of_the_values_reach_the_node():
    assert config("api-port")["server"]["proxy_protocol"] is True
    assert config("api-port")["server"]["trusted_proxies"] == ["192.0.2.0/24", "2001:db8::/32"]
    limits = config("api-port")["limits"]
    assert (limits["hold_ms"], limits["tenant_held_bytes"], limits["rooms_per_tenant"]) == (30000, 1048576, 1000)
    assert (limits["tenant_connections"], limits["api_calls_per_tenant"]) == (5000, 64)


@check
def the_bundled_redis_is_reached_by_nodes_only_and_reaches_nobody():
    rules = policy("trial", "-redis")
    source = rules["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
    assert source["app.kubernetes.io/component"] == "node"
    assert "egress" not in rules
    assert rule_for(policy("trial")["egress"], 6379)["to"][0]["podSelector"]["matchLabels"][
        "app.kubernetes.io/component"
    ] == "redis"


@check
def the_helm_test_and_the_load_generator_reach_nodes_only():
    for name, suffix in (("minimal", "-selftest"), ("loadtest", "-loadtest")):
        assert ports(policy(name, suffix)["egress"]) == DNS | {("TCP", 8080)}


@check
def coturn_is_reached_on_its_port_and_relays_and_refuses_addresses_of_the_cluster():
    rules = policy("coturn-deployment", "-coturn")["ingress"][0]["ports"]
    assert {"protocol": "UDP", "port": 49160, "endPort": 49163} in rules
    text = the("coturn-deployment", "ConfigMap", "-coturn")["data"]["turnserver.conf"]
    assert "denied-peer-ip=10.0.0.0-10.255.255.255" in text and "denied-peer-ip=127.0.0.0-127.255.255.255" in text
    assert not [one for one in of_kind("coturn-daemonset", "NetworkPolicy") if "coturn" in one["metadata"]["name"]]
