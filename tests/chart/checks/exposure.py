"""How clients reach the nodes: Service, Ingress, Gateway, certificates, and the notes about them."""

import json

from support import check, config, notes, of_kind, the

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
def balancers_that_check_the_public_port_ask_for_its_health():
    annotations = the("ingress-alb", "Ingress")["metadata"]["annotations"]
    assert annotations["alb.ingress.kubernetes.io/healthcheck-path"] == "/v1/health"
    assert annotations["alb.ingress.kubernetes.io/target-type"] == "ip" and "alb.ingress.kubernetes.io/scheme" in annotations
    assert annotations["alb.ingress.kubernetes.io/load-balancer-attributes"] == "idle_timeout.timeout_seconds=3600"
    config = the("ingress-gke", "BackendConfig")
    assert config["spec"]["healthCheck"] == {"type": "HTTP", "requestPath": "/v1/health", "port": 8080}
    assert (config["spec"]["timeoutSec"], config["spec"]["connectionDraining"]) == (86400, {"drainingTimeoutSec": 40})
    annotations = the("ingress-gke", "Service", "sb-switchboard")["metadata"]["annotations"]
    assert json.loads(annotations["cloud.google.com/backend-config"]) == {"default": config["metadata"]["name"]}
    assert "exposed_ports" in annotations["cloud.google.com/neg"], "the values win"
    assert not of_kind("ingress-nginx", "BackendConfig")


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
def nodes_with_tls_are_reached_over_https_by_everyone():
    name = "node-tls"
    certificate = the(name, "Certificate")["spec"]
    assert certificate["secretName"] == "sb-switchboard-node-tls"
    names = certificate["dnsNames"]
    assert {"signal.internal", "signal.example"} < set(names) and any("-pods." in one for one in names), names
    node_config = config(name)
    assert node_config["server"]["tls"]["min_version"] == "1.3"
    assert "client_ca_file" not in node_config["ops"]["tls"], "probes have no certificate"
    pod = the(name, "Deployment")["spec"]["template"]["spec"]
    node = pod["containers"][0]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert node[probe]["httpGet"]["scheme"] == "HTTPS", probe
    folder = node_config["server"]["tls"]["cert_file"].rsplit("/", 1)[0]
    assert any(mount["mountPath"] == folder for mount in node["volumeMounts"]), folder
    endpoint = the(name, "ServiceMonitor")["spec"]["endpoints"][0]
    assert endpoint["scheme"] == "https" and endpoint["tlsConfig"]["serverName"] in names
    assert endpoint["tlsConfig"]["ca"]["secret"] == {"name": certificate["secretName"], "key": "ca.crt"}
    annotations = the(name, "Ingress")["metadata"]["annotations"]
    assert annotations[f"{NGINX}/backend-protocol"] == "HTTPS"
    for service in of_kind(name, "Service"):
        protocols = {port["name"]: port.get("appProtocol") for port in service["spec"]["ports"]}
        assert all(protocols[port] == "https" for port in protocols if port != "ops"), protocols
    arguments = the(name, "Pod")["spec"]["containers"][0]["args"]
    (nodes,) = [one.removeprefix("--nodes=") for one in arguments if one.startswith("--nodes=")]
    assert nodes.rsplit(":", 1)[0] in names and "--tls" in arguments


@check
def a_secret_of_the_operator_and_client_authorities_are_mounted_and_probes_stay_plain():
    name = "node-tls-secret"
    node_config = config(name)
    assert node_config["server"]["tls"]["client_auth"] == "optional" and "tls" not in node_config.get("ops", {})
    pod = the(name, "Deployment")["spec"]["template"]["spec"]
    secrets = {one["name"]: one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one}
    assert secrets["node-tls"] == "signal-tls" and secrets["client-ca"] == "client-authorities"
    assert "scheme" not in pod["containers"][0]["readinessProbe"]["httpGet"]
    assert not of_kind(name, "Certificate")


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
