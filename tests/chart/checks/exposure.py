"""How clients reach the nodes: Service, Ingress, Gateway, certificates, and the notes about them."""

from support import check, notes, of_kind, the

NGINX = "nginx.ingress.kubernetes.io"


@check
def no_service_that_clients_use_has_the_operations_port_or_that_of_the_backend_api():
    for name in ("minimal", "load-balancer", "node-port", "api-port"):
        ports = the(name, "Service", "sb-switchboard")["spec"]["ports"]
        assert [port["targetPort"] for port in ports] == ["http"], name


@check
def nginx_keeps_an_idle_websocket_for_an_hour():
    annotations = the("ingress-nginx", "Ingress")["metadata"]["annotations"]
    assert annotations[f"{NGINX}/proxy-read-timeout"] == annotations[f"{NGINX}/proxy-send-timeout"] == "3600"
    assert annotations[f"{NGINX}/limit-connections"] == "50", "the user's own are kept"


@check
def haproxy_and_traefik_get_what_they_need_and_no_more():
    annotations = the("ingress-cert-manager", "Ingress")["metadata"]["annotations"]
    assert annotations["haproxy.org/timeout-tunnel"] == "600s"
    assert annotations["haproxy.org/load-balance"] == "leastconn"
    assert not any(key.startswith(NGINX) for key in annotations)
    assert "annotations" not in the("ingress-traefik", "Ingress")["metadata"]


@check
def an_ingress_serves_its_hosts_with_their_certificate():
    spec = the("ingress-nginx", "Ingress")["spec"]
    assert spec["ingressClassName"] == "nginx"
    assert spec["tls"] == [{"secretName": "signal-tls", "hosts": ["signal.example"]}]
    backend = spec["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": the("ingress-nginx", "Service", "sb-switchboard")["metadata"]["name"], "port": {"name": "http"}}
    ingress = the("ingress-cert-manager", "Ingress")
    assert ingress["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "letsencrypt"
    assert ingress["spec"]["tls"][0]["secretName"] == "sb-switchboard-tls"
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["signal.example", "signal.example.org"]


@check
def a_gateway_route_has_no_timeout_and_its_certificate_the_same_names():
    spec = the("gateway", "HTTPRoute")["spec"]
    assert spec["rules"][0]["timeouts"] == {"request": "0s"}
    assert spec["rules"][0]["backendRefs"] == [{"name": "sb-switchboard", "port": 80}]
    assert spec["parentRefs"] == [{"name": "public", "namespace": "gateways", "sectionName": "https"}]
    certificate = the("gateway", "Certificate")["spec"]
    assert certificate["dnsNames"] == spec["hostnames"] == ["signal.example"]
    assert certificate["issuerRef"] == {"name": "letsencrypt", "kind": "ClusterIssuer", "group": "cert-manager.io"}


@check
def a_load_balancer_has_its_class_ranges_and_annotations():
    service = the("load-balancer", "Service", "sb-switchboard")
    spec = service["spec"]
    assert spec["type"] == "LoadBalancer" and spec["ports"][0]["port"] == 443
    assert spec["loadBalancerClass"] == "service.k8s.aws/nlb" and spec["externalTrafficPolicy"] == "Local"
    assert spec["loadBalancerSourceRanges"] == ["192.0.2.0/24"]
    assert service["metadata"]["annotations"]
    assert the("node-port", "Service", "sb-switchboard")["spec"]["ports"][0]["nodePort"] == 30080


@check
def the_notes_say_where_clients_connect_for_each_exposure():
    says = {
        "minimal": "port-forward service/sb-switchboard 8080:80",
        "ingress-nginx": "wss://signal.example/v1/ws",
        "ingress-traefik": "ws://signal.example/v1/ws",
        "gateway": "wss://signal.example/v1/ws",
        "load-balancer": "status.loadBalancer.ingress",
        "node-port": "nodePort",
        "api-port": "backend API is at http://sb-switchboard-api.calls:8081",
    }
    for name, text in says.items():
        assert text in notes(name), name
    assert "has no TLS" in notes("ingress-traefik") and "has no TLS" not in notes("ingress-nginx")
    assert "helm -n calls test sb" in notes("minimal")


@check
def the_notes_warn_about_settings_for_trials():
    trial = notes("trial")
    assert "WARNING: the values contain a secret" in trial and "WARNING: the bundled Redis" in trial
    assert "WARNING" not in notes("minimal")
    assert "can drain it" in notes("policy-off")
    assert "privileged" in notes("coturn-daemonset")
    assert "cannot be scaled" in notes("one-node")


@check
def a_secret_object_contains_only_inline_values():
    assert list(the("trial", "Secret")["data"]) == ["hs256-secret"]
    assert list(the("coturn-deployment", "Secret")["data"]) == ["turn-secret"]
    assert not of_kind("ingress-nginx", "Secret")
