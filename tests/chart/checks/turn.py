"""TURN: external servers, or coturn with the same secret as the nodes."""

from support import check, config, node, of_kind, pods, the


def coturn(name):
    """The specification of coturn's pod."""
    return next(spec for owner, _, spec in pods(name) if owner.endswith("-coturn"))


def secret_of(spec):
    """Which Secret and key a pod has as its TURN secret."""
    volume = next(one for one in spec["volumes"] if one["name"] == "turn")
    if "projected" in volume:
        secret = volume["projected"]["sources"][0]["secret"]
        return secret["name"], secret["items"]
    return volume["secret"]["secretName"], volume["secret"]["items"]


@check
def external_servers_reach_clients_with_the_shared_secret():
    ice = config("turn-elsewhere")["ice"]
    assert ice["stun_urls"] == ["stun:stun.example:3478"]
    assert ice["turn_urls"] == ["turns:turn.example:5349?transport=tcp"]
    assert ice["turn_secret_file"] == "/etc/switchboard/turn/secret"
    assert secret_of(node("turn-elsewhere")[0]) == ("turn", [{"key": "shared", "path": "secret"}])
    assert "turn_secret_file" not in config("minimal")["ice"]


@check
def each_region_has_its_servers_and_its_own_secret_if_it_names_one():
    ice = config("turn-regions")["ice"]
    assert ice["region_header"] == "cf-ipcountry"
    eu, us = ice["regions"]
    assert eu == {"name": "eu", "header_values": ["DE", "FR"], "turn_urls": ["turn:eu.turn.example:3478"]}
    assert us["turn_secret_file"] == "/etc/switchboard/turn-regions/us" and us["turn_ttl_s"] == 600
    assert us["stun_urls"] == ["stun:us.turn.example:3478"] and len(us["turn_urls"]) == 2
    spec, container = node("turn-regions")[:2]
    volume = next(one for one in spec["volumes"] if one["name"] == "turn-regions")["projected"]
    assert volume["sources"] == [{"secret": {"name": "turn-us", "items": [{"key": "shared", "path": "us"}]}}]
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert mounts["turn-regions"] == "/etc/switchboard/turn-regions"
    assert "regions" not in config("turn-elsewhere")["ice"]


@check
def coturn_and_the_nodes_share_one_secret():
    for name in ("coturn-daemonset", "coturn-deployment"):
        assert secret_of(coturn(name)) == secret_of(node(name)[0]), name
        assert config(name)["ice"]["turn_urls"][0] == "turn:turn.example:3478?transport=udp", name


@check
def the_secret_of_coturn_is_in_memory_and_in_no_manifest():
    spec = coturn("coturn-deployment")
    assert {"name": "data", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}} in spec["volumes"]
    text = the("coturn-deployment", "ConfigMap", "-coturn")["data"]["turnserver.conf"]
    assert "use-auth-secret" in text and "static-auth-secret" not in text
    assert "userdb=/var/lib/coturn/turndb" in text
    container = spec["containers"][0]
    assert container["command"] == ["sh", "/base/coturn.sh"] and "args" not in container


@check
def coturn_accepts_a_second_secret_while_one_is_replaced():
    sources = next(one for one in coturn("coturn-deployment")["volumes"] if one["name"] == "turn")["projected"]["sources"]
    assert sources[1]["secret"] == {
        "name": sources[0]["secret"]["name"], "optional": True, "items": [{"key": "turn-secret-other", "path": "other"}],
    }


@check
def a_stopping_coturn_keeps_its_relays_for_a_time_of_its_own():
    for name, seconds in (("coturn-deployment", 60), ("coturn-metrics", 300)):
        spec = coturn(name)
        assert spec["terminationGracePeriodSeconds"] == seconds + 10, name
        hook = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
        assert hook == ["sh", "-c", f"kill -USR1 1; sleep {seconds}"], name


@check
def quotas_of_coturn_and_an_ipv6_address_are_written_out():
    text = the("coturn-metrics", "ConfigMap", "-coturn")["data"]["turnserver.conf"].splitlines()
    assert {"user-quota=12", "total-quota=1000000", "max-bps=250000", "bps-capacity=125000000"} <= set(text)
    assert config("coturn-metrics")["ice"]["turn_urls"][0] == "turn:[2001:db8::7]:3478?transport=udp"


@check
def metrics_of_coturn_are_scraped_on_the_pods_own_address():
    container = coturn("coturn-metrics")["containers"][0]
    assert container["args"] == ["--prometheus", "--prometheus-port=9641", "--prometheus-address=$(POD_IP)"]
    monitor = the("coturn-metrics", "PodMonitor", "-coturn")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["podMetricsEndpoints"][0]["port"] in [port["name"] for port in container["ports"]]
    assert monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"] == "coturn"
    assert not of_kind("coturn-daemonset", "PodMonitor")


@check
def no_user_takes_all_relays_and_no_relay_leads_into_private_networks():
    text = the("coturn-deployment", "ConfigMap", "-coturn")["data"]["turnserver.conf"].splitlines()
    assert "user-quota=12" in text and "total-quota=4" in text and "no-tcp-relay" in text
    ports = [int(line.split("=")[1]) for line in text if line.split("=")[0] in ("min-port", "max-port")]
    assert ports[1] - ports[0] + 1 == 4, "one relay for each port"
    for network in ("10.0.0.0-10.255.255.255", "172.16.0.0-172.31.255.255", "192.168.0.0-192.168.255.255"):
        assert f"denied-peer-ip={network}" in text, network


@check
def over_tls_coturn_has_its_certificate_and_clients_the_address():
    assert config("coturn-tls")["ice"]["turn_urls"][2] == "turns:turn.example:5443?transport=tcp"
    text = the("coturn-tls", "ConfigMap", "-coturn")["data"]["turnserver.conf"]
    assert "tls-listening-port=5443\ncert=/tls/tls.crt\npkey=/tls/tls.key\n" in text and "no-tls\n" not in text
    spec = coturn("coturn-tls")
    assert {"name": "tls", "mountPath": "/tls", "readOnly": True} in spec["containers"][0]["volumeMounts"]
    assert next(one for one in spec["volumes"] if one["name"] == "tls")["secret"]["secretName"] == "turn-tls"
    plain = the("coturn-deployment", "ConfigMap", "-coturn")["data"]["turnserver.conf"]
    assert "no-tls\n" in plain and len(config("coturn-deployment")["ice"]["turn_urls"]) == 2


@check
def as_a_daemonset_coturn_is_on_the_host_network_of_chosen_machines():
    assert the("coturn-daemonset", "DaemonSet", "-coturn")
    spec = coturn("coturn-daemonset")
    assert spec["hostNetwork"] is True and spec["dnsPolicy"] == "ClusterFirstWithHostNet"
    assert spec["nodeSelector"] == {"role": "edge"} and spec["tolerations"]
    assert not [one for one in of_kind("coturn-daemonset", "Service") if "coturn" in one["metadata"]["name"]]


@check
def behind_a_load_balancer_each_relay_port_is_listed_and_clients_get_the_external_address():
    service = the("coturn-deployment", "Service", "-coturn")
    assert service["spec"]["type"] == "LoadBalancer"
    ports = [(one["protocol"], one["port"]) for one in service["spec"]["ports"]]
    assert ports == [("UDP", 3478), ("TCP", 3478)] + [("UDP", port) for port in range(49160, 49164)]
    text = the("coturn-deployment", "ConfigMap", "-coturn")["data"]["turnserver.conf"]
    assert "min-port=49160\nmax-port=49163\n" in text
    environment = coturn("coturn-deployment")["containers"][0]["env"]
    assert {"name": "EXTERNAL_IP", "value": "203.0.113.7"} in environment
    # Two would break allocations: the balancer does not know which of them has one.
    assert the("coturn-deployment", "Deployment", "-coturn")["spec"]["replicas"] == 1
