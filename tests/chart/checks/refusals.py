"""Refused values: the schema names the key of a wrong value, and a sentence explains a wrong combination."""

import copy

from support import check, refusal

GOOD = {
    "auth": {"hs256": {"existingSecret": "jwt"}},
    "redis": {"external": {"url": "redis://redis.data:6379"}},
}

# The values, and the key that the refusal must name.
BY_SCHEMA = [
    ({"replicas": 3}, "replicas"),
    ({"replicaCount": "two"}, "/replicaCount"),
    ({"replicaCount": 0}, "/replicaCount"),
    ({"image": {"digest": "latest"}}, "/image/digest"),
    ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
    ({"auth": {"hs256": {"secret": "x"}}}, "/auth/hs256"),
    ({"auth": {"publicKeys": {"pem": {"key-1": "ssh-ed25519 AAAA"}}}}, "/auth/publicKeys/pem/key-1"),
    ({"auth": {"jwks": {"url": "login.example/keys"}}}, "/auth/jwks/url"),
    ({"auth": {"issuers": [{"tenant": "acme"}]}}, "/auth/issuers/0"),
    ({"auth": {"issuers": [{"issuer": "https://a.example", "tenent": "acme"}]}}, "tenent"),
    ({"broker": "nats"}, "/broker"),
    ({"redis": {"external": {"url": "redis.data:6379"}}}, "/redis/external/url"),
    ({"redis": {"mode": "replicated"}}, "/redis/mode"),
    ({"config": {"limits": {"conections": 5}}}, "conections"),
    ({"config": {"server": {"listen": "0.0.0.0:1"}}}, "listen"),
    ({"config": {"server": {"api_listen": "0.0.0.0:1"}}}, "api_listen"),
    ({"ports": {"api": "8081"}}, "/ports/api"),
    ({"config": {"auth": {"hs256_secret": "x"}}}, "auth"),
    ({"config": {"telemetry": {"log_format": "xml"}}}, "/config/telemetry/log_format"),
    ({"config": {"drain": {"settle_ms": "5s"}}}, "/config/drain/settle_ms"),
    ({"service": {"type": "ExternalName"}}, "/service/type"),
    ({"service": {"port": 70000}}, "/service/port"),
    ({"ingress": {"timeoutSeconds": 5}}, "/ingress/timeoutSeconds"),
    ({"ingress": {"hosts": "signal.example"}}, "/ingress/hosts"),
    ({"podDisruptionBudget": {"maxUnavailable": "half"}}, "/podDisruptionBudget/maxUnavailable"),
    ({"autoscaling": {"hpa": {"targetCPU": 50}}}, "targetCPU"),
    ({"networkPolicy": {"enabled": "yes"}}, "/networkPolicy/enabled"),
    ({"turn": {"turnUrls": ["turn.example"]}}, "/turn/turnUrls/0"),
    ({"coturn": {"mode": "statefulset"}}, "/coturn/mode"),
    ({"coturn": {"tls": {"port": 443}}}, "/coturn/tls/port"),
    ({"coturn": {"realm": "a\nno-auth"}}, "/coturn/realm"),
    ({"coturn": {"deniedPeers": ["10.0.0.0/8"]}}, "/coturn/deniedPeers/0"),
    ({"coturn": {"externalIps": {"edge-1": "host.example"}}}, "/coturn/externalIps/edge-1"),
    ({"metrics": {"matchers": 'cluster="eu"'}}, "/metrics/matchers"),
    ({"pod": {"containers": []}}, "containers"),
    ({"metrics": {"serviceMonitor": {"interval": "often"}}}, "/metrics/serviceMonitor/interval"),
    ({"resources": {"limit": {}}}, "limit"),
    ({"maxSurge": 0}, "/maxSurge"),
    ({"tls": {"minVersion": 1.3}}, "/tls/minVersion"),
]

# The values, and the start of the sentence.
BY_SENTENCE = [
    ({"auth": {"hs256": {"existingSecret": ""}}}, "auth: nodes have no key to verify tokens with"),
    ({"auth": {"hs256": {"inlineSecret": "x" * 32}}}, "auth.hs256: set either existingSecret or inlineSecret"),
    ({"auth": {"hs256": {"existingSecret": "", "inlineSecret": "short"}}}, "auth.hs256.inlineSecret: has 5 bytes"),
    ({"auth": {"publicKeys": {"pem": {"k": "-----BEGIN PRIVATE KEY-----"}}}}, "auth.publicKeys.pem.k: is a private key"),
    ({"auth": {"discovery": True}}, "auth.discovery: needs auth.issuer"),
    ({"auth": {"discovery": True, "jwks": {"url": "https://a.example/k"}}}, "auth.discovery: set either jwks.url or discovery"),
    ({"broker": "memory", "redis": {"external": {"url": ""}}}, "broker: memory does not connect nodes"),
    ({"broker": "memory", "replicaCount": 1}, "broker: is memory, but a Redis is configured"),
    ({"redis": {"mode": "sentinel"}}, "redis.sentinel.master: is empty"),
    ({"redis": {"sentinel": {"master": "mymaster"}}}, "redis.sentinel: has an effect with redis.mode sentinel only"),
    ({"redis": {"mode": "cluster", "external": {"url": ""}, "bundled": {"enabled": True}}}, "redis.mode: the bundled Redis is one server"),
    ({"redis": {"external": {"url": ""}, "bundled": {"enabled": True}, "password": {"existingSecret": "p"}}},
     "redis: the bundled Redis has no password"),
    ({"redis": {"external": {"url": "", "urls": ["redis://a", "redis://b"]}}}, "redis.external.urls: redis.mode standalone takes"),
    ({"redis": {"tls": {"ca": {"existingSecret": "c"}}}}, "redis.tls: has an effect with rediss:// only"),
    ({"tls": {"ops": True}}, "tls: nodes have no certificate"),
    ({"tls": {"existingSecret": "a", "issuerRef": {"name": "b"}}}, "tls: set either existingSecret or issuerRef.name"),
    ({"tls": {"existingSecret": "a"}, "service": {"appProtocol": "kubernetes.io/ws"}}, "service.appProtocol: is kubernetes.io/ws"),
    ({"redis": {"bundled": {"enabled": True}}}, "redis: set either redis.bundled.enabled or redis.external"),
    ({"redis": {"external": {"existingSecret": "r"}}}, "redis.external: set either url, urls or existingSecret"),
    ({"redis": {"external": {"url": ""}}}, "redis: nodes have no connection to each other"),
    ({"redis": {"external": {"url": "redis://:pass@r:6379"}}}, "redis.external: a URL contains a password"),
    ({"autoscaling": {"hpa": {"enabled": True}, "keda": {"enabled": True, "prometheusAddress": "http://p"}}},
     "autoscaling: hpa and keda would both set the number of replicas"),
    ({"autoscaling": {"hpa": {"enabled": True, "minReplicas": 5, "maxReplicas": 3}}}, "autoscaling.hpa.minReplicas: is 5"),
    ({"autoscaling": {"hpa": {"enabled": True, "connectionsPerPod": 30000}}}, "autoscaling.hpa.connectionsPerPod: is 30000"),
    ({"autoscaling": {"hpa": {"enabled": True}}, "resources": {"requests": {"cpu": None}}}, "autoscaling.hpa.cpuPercent"),
    ({"autoscaling": {"keda": {"enabled": True}}}, "autoscaling.keda.prometheusAddress"),
    ({"podDisruptionBudget": {"minAvailable": 1}}, "podDisruptionBudget: set either minAvailable or maxUnavailable"),
    ({"podDisruptionBudget": {"minAvailable": 2, "maxUnavailable": None}}, "podDisruptionBudget.minAvailable: is 2 of 2"),
    ({"podDisruptionBudget": {"minAvailable": "100%", "maxUnavailable": None}}, "podDisruptionBudget.minAvailable: of 100%"),
    ({"ingress": {"enabled": True}}, "ingress.hosts: names no host"),
    ({"ingress": {"enabled": True, "hosts": ["a"], "controller": "alb", "timeoutSeconds": 4001}}, "ingress.timeoutSeconds: is 4001"),
    ({"podDisruptionBudget": {"maxUnavailable": 0}}, "podDisruptionBudget.maxUnavailable: of 0 allows no eviction"),
    ({"podDisruptionBudget": {"maxUnavailable": "0%"}}, "podDisruptionBudget.maxUnavailable: of 0% allows no eviction"),
    ({"config": {"telemetry": {"otlp_endpoint": "https://c:4317"}}}, "config.telemetry.otlp_endpoint: is https"),
    ({"service": {"ipFamilyPolicy": "PreferDualStack"}}, "ports.address: is 0.0.0.0, so nodes do not answer over IPv6"),
    ({"service": {"ipFamilies": ["IPv6"]}}, "ports.address: is 0.0.0.0"),
    ({"ingress": {"enabled": True, "hosts": ["a"], "tls": {"issuer": "a", "clusterIssuer": "b"}}}, "ingress.tls: set either"),
    ({"certificate": {"enabled": True}}, "certificate.issuerRef.name"),
    ({"certificate": {"enabled": True, "issuerRef": {"name": "x"}}}, "certificate.dnsNames: is empty"),
    ({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs: names no Gateway"),
    ({"turn": {"turnUrls": ["turn:a"]}}, "turn.existingSecret: TURN needs the secret"),
    ({"turn": {"existingSecret": "a", "inlineSecret": "b"}}, "turn: set either existingSecret or inlineSecret"),
    ({"coturn": {"enabled": True}, "turn": {"existingSecret": "t"}}, "coturn.host: clients need the address"),
    ({"coturn": {"enabled": True, "mode": "deployment", "host": "t"}, "turn": {"existingSecret": "t"}}, "coturn.externalIp"),
    ({"coturn": {"enabled": True, "mode": "deployment", "host": "t", "externalIp": "192.0.2.1",
                 "relayPorts": {"min": 50000, "max": 50100}}, "turn": {"existingSecret": "t"}},
     "coturn.relayPorts: a Service lists each relay port"),
    ({"coturn": {"enabled": True, "host": "t", "port": 49200}, "turn": {"existingSecret": "t"}}, "coturn.port: 49200 is within"),
    ({"coturn": {"enabled": True, "host": "t", "tls": {"secretName": "c", "port": 3478}}, "turn": {"existingSecret": "t"}},
     "coturn.tls.port: equals coturn.port"),
    ({"coturn": {"enabled": True, "host": "t", "tls": {"secretName": "c", "port": 49200}}, "turn": {"existingSecret": "t"}},
     "coturn.tls.port: 49200 is within"),
    ({"coturn": {"enabled": True, "host": "t", "metrics": {"enabled": True, "port": 3478}}, "turn": {"existingSecret": "t"}},
     "coturn.metrics.port: 3478 is a port for clients"),
    ({"coturn": {"enabled": True, "mode": "deployment", "host": "t", "externalIp": "auto"}, "turn": {"existingSecret": "t"}},
     "coturn.externalIp: behind a load balancer"),
    ({"terminationGracePeriodSeconds": 39}, "terminationGracePeriodSeconds: is 39, but a node needs up to 40 s"),
    ({"config": {"drain": {"window_ms": 30000}}}, "config.drain.deadline_ms: must be at least window_ms + grace_ms"),
    ({"ports": {"ops": 8080}}, "ports: public and ops are both 8080"),
    ({"ports": {"api": 8080}}, "ports.api: 8080 is another port of the node"),
    ({"ports": {"api": 9090}}, "ports.api: 9090 is another port of the node"),
    ({"metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}}, "metrics: serviceMonitor and podMonitor"),
    ({"auth": {"hs256": {"existingSecret": ""}, "jwks": {"url": "https://a"}}, "loadtest": {"enabled": True}}, "loadtest: the generator"),
    ({"tls": {"existingSecret": "c", "clientCaSecret": "a"}, "loadtest": {"enabled": True}}, "loadtest: the generator has no certificate"),
]


def over(base, values):
    """`values` laid over a copy of `base`."""
    made = copy.deepcopy(base)
    for key, value in values.items():
        made[key] = over(made.get(key) or {}, value) if isinstance(value, dict) else value
    return made


@check
def the_base_of_the_refusals_is_accepted():
    assert refusal(GOOD) is None


@check
def a_wrong_value_is_refused_by_the_schema_and_its_key_named():
    for values, key in BY_SCHEMA:
        output = refusal(over(GOOD, values))
        assert output and "schema" in output and key in output, (values, output)


@check
def values_that_cannot_work_together_are_refused_with_a_sentence():
    for values, sentence in BY_SENTENCE:
        output = refusal(over(GOOD, values))
        assert output and "These values cannot work" in output and sentence in output, (values, output)


@check
def all_problems_are_reported_together():
    output = refusal({"coturn": {"enabled": True}})
    assert output.count("\n  - ") == 4, output


@check
def the_shortest_sufficient_grace_period_is_accepted():
    assert refusal(over(GOOD, {"terminationGracePeriodSeconds": 40})) is None


@check
def only_global_accepts_any_key():
    assert refusal(over(GOOD, {"global": {"of": {"another": "chart"}}})) is None
