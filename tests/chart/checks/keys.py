"""Keys, Redis and the node's settings: the rendered configuration and the mounted Secrets."""

from support import check, config, node, of_kind, pods, the

DIR = "/etc/switchboard"


def volume(name, volume_name):
    """A volume of the node's pod."""
    return next(one for one in node(name)[0]["volumes"] if one["name"] == volume_name)


@check
def an_hs256_secret_is_mounted_as_the_file_that_the_node_reads():
    assert config("minimal")["auth"]["hs256_secret_file"] == f"{DIR}/jwt/hs256-secret"
    secret = volume("minimal", "jwt")["secret"]
    assert secret["secretName"] == "jwt"
    assert secret["items"] == [{"key": "hs256-secret", "path": "hs256-secret"}]
    mounts = {one["name"]: one for one in node("minimal")[1]["volumeMounts"]}
    assert mounts["jwt"]["mountPath"] == f"{DIR}/jwt" and mounts["jwt"]["readOnly"] is True
    assert not of_kind("minimal", "Secret")


@check
def public_keys_of_all_sources_end_up_in_one_folder():
    assert config("public-keys-secret")["auth"]["public_keys_dir"] == f"{DIR}/keys"
    sources = volume("public-keys-secret", "keys")["projected"]["sources"]
    assert sources == [{"secret": {"name": "keys-a"}}, {"configMap": {"name": "keys-b"}}]
    inline = the("public-keys-inline", "ConfigMap", "-keys")
    assert list(inline["data"]) == ["key-1.pem"] and "BEGIN PUBLIC KEY" in inline["data"]["key-1.pem"]
    assert volume("public-keys-inline", "keys")["projected"]["sources"] == [
        {"configMap": {"name": inline["metadata"]["name"]}}
    ]


@check
def issuer_audience_and_jwks_reach_the_node():
    auth = config("public-keys-secret")["auth"]
    assert auth["issuer"] == "https://login.example" and auth["audience"] == "calls"
    assert config("jwks")["auth"]["jwks_url"] == "https://login.example/.well-known/jwks.json"
    assert "hs256_secret_file" not in config("jwks")["auth"]


@check
def issuers_reach_the_node_with_folders_of_their_own():
    auth = config("issuers")["auth"]
    assert auth["hs256_secrets_dir"] == f"{DIR}/secrets"
    assert auth["issuers"] == [
        {
            "issuer": "https://acme.example/",
            "discovery": True,
            "tenant": "acme",
            "required_claims": {"https://x.example/role": "staff", "hd": "acme.example"},
            "algorithms": ["RS256"],
        },
        {
            "issuer": "https://other.example",
            "tenant": "other",
            "hs256_secrets_dir": f"{DIR}/issuer-1-secrets",
            "public_keys_dir": f"{DIR}/issuer-1-keys",
        },
    ]
    mounts = {one["name"]: one["mountPath"] for one in node("issuers")[1]["volumeMounts"]}
    for name, secret in [("secrets", "backend"), ("issuer-1-secrets", "other-secrets"), ("issuer-1-keys", "other-keys")]:
        assert volume("issuers", name)["secret"]["secretName"] == secret
        assert mounts[name] == f"{DIR}/{name}"
    assert "issuer-0-secrets" not in mounts


@check
def each_webhook_has_the_secrets_of_its_own_secret():
    webhooks = config("webhooks")["webhooks"]
    files = {one["name"]: one["secret_files"] for one in webhooks["endpoints"]}
    assert files == {"app": ["/etc/switchboard/webhooks/app"], "push": ["/etc/switchboard/webhooks/push"]}
    assert webhooks["endpoints"][1]["tenants"] == ["acme"] and webhooks["timeout_ms"] == 5000
    mounts = {one["name"]: one["mountPath"] for one in node("webhooks")[1]["volumeMounts"]}
    assert mounts["webhooks"] == "/etc/switchboard/webhooks"
    sources = [one["secret"] for one in volume("webhooks", "webhooks")["projected"]["sources"]]
    keys = {one["name"]: [(item["key"], item["path"]) for item in one["items"]] for one in sources}
    assert keys["webhook-push"] == [("signing", "push")] and [path for _, path in keys["webhook-app"]] == ["app"]


@check
def a_redis_url_with_a_password_comes_out_of_its_secret():
    broker = config("redis-password")["broker"]
    assert broker["redis_url_file"] == f"{DIR}/redis/url" and "redis_urls" not in broker
    sources = volume("redis-password", "redis")["projected"]["sources"]
    assert [one["secret"] for one in sources] == [{"name": "redis-url", "items": [{"key": "address", "path": "url"}]}]


@check
def passwords_and_certificates_of_redis_come_out_of_their_secrets():
    broker = config("redis-sentinel")["broker"]
    assert broker["redis_mode"] == "sentinel" and broker["redis_sentinel_master"] == "mymaster"
    assert broker["redis_urls"] == ["rediss://s1.data:26379", "rediss://s2.data:26379", "rediss://s3.data:26379"]
    assert (broker["redis_username"], broker["redis_sentinel_username"]) == ("switchboard", "watch")
    assert broker["redis_key_prefix"] == "staging"
    files = {key: path for key, path in broker.items() if key.endswith("_file")}
    assert files == {
        "redis_password_file": f"{DIR}/redis/password",
        "redis_sentinel_password_file": f"{DIR}/redis/sentinel-password",
        "redis_ca_file": f"{DIR}/redis/ca.crt",
        "redis_cert_file": f"{DIR}/redis/tls.crt",
        "redis_key_file": f"{DIR}/redis/tls.key",
    }
    sources = [one["secret"] for one in volume("redis-sentinel", "redis")["projected"]["sources"]]
    paths = {item["path"]: (one["name"], item["key"]) for one in sources for item in one["items"]}
    assert paths == {
        "password": ("redis-user", "redis-password"),
        "sentinel-password": ("redis-user", "watch"),
        "ca.crt": ("redis-ca", "ca.crt"),
        "tls.crt": ("node-tls", "tls.crt"),
        "tls.key": ("node-tls", "tls.key"),
    }


@check
def the_bundled_redis_has_no_persistence_and_its_address_is_configured():
    service = the("trial", "Service", "-redis")
    assert config("trial")["broker"]["redis_urls"] == [f"redis://{service['metadata']['name']}:6379"]
    spec = next(spec for owner, _, spec in pods("trial") if owner.endswith("-redis"))
    arguments = spec["containers"][0]["args"]
    assert arguments[:4] == ["--save", "", "--appendonly", "no"]
    assert "volumes" not in spec


@check
def a_single_node_has_no_redis():
    assert config("one-node")["broker"] == {"kind": "memory"}
    assert not of_kind("one-node", "PodDisruptionBudget")


@check
def settings_keep_their_names_and_whole_numbers():
    settings = config("node-settings")
    assert settings["server"]["allowed_origins"] == ["https://app.example", "https://b.example"]
    assert settings["server"]["accept_query_token"] is False
    assert settings["limits"]["connections"] == 1_000_000 and isinstance(settings["limits"]["connections"], int)
    assert settings["limits"]["pending_bytes"] == 16_777_216
    assert settings["telemetry"]["trace_sample_ratio"] == 0.25
    assert settings["session"]["resume_window_s"] == 120 and settings["ice"]["turn_ttl_s"] == 600


@check
def the_helm_test_calls_across_pods_with_the_key_that_nodes_trust():
    pod = the("minimal", "Pod", "-selftest")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    container = pod["spec"]["containers"][0]
    assert container["args"][0] == "selftest" and "--apart" in container["args"]
    headless = the("minimal", "Service", "-pods")
    assert headless["spec"]["clusterIP"] == "None"
    assert f"--nodes={headless['metadata']['name']}:8080" in container["args"]
    assert f"--secret-file={DIR}/jwt/hs256-secret" in container["args"]
    assert pod["spec"]["volumes"][0]["secret"]["secretName"] == "jwt"
    assert "--apart" not in the("one-node", "Pod", "-selftest")["spec"]["containers"][0]["args"]


@check
def without_a_key_to_sign_with_the_helm_test_wants_two_tokens():
    pod = the("jwks", "Pod", "-selftest")
    assert f"--caller-token-file={DIR}/tokens/caller" in pod["spec"]["containers"][0]["args"]
    assert pod["spec"]["volumes"][0]["secret"]["secretName"] == "test-tokens"
    assert not of_kind("jwks-without-test", "Pod") and not of_kind("coturn-deployment", "Pod")


@check
def the_load_generator_runs_its_scenario_once_with_a_key_of_its_own_or_the_nodes():
    job = the("loadtest", "Job")
    assert job["spec"]["backoffLimit"] == 0
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["/switchboard-loadtest"]
    assert container["args"] == ["run", f"{DIR}/scenario/scenario.toml", "--allow-remote"]
    scenario = next(one for one in of_kind("loadtest", "ConfigMap") if "scenario.toml" in one["data"])
    assert 'urls = ["ws://sb-switchboard:80/v1/ws"]' in scenario["data"]["scenario.toml"]
    assert f'secret_file = "{DIR}/jwt/hs256-secret"' in scenario["data"]["scenario.toml"]
    spec = the("loadtest-own-key", "Job")["spec"]["template"]["spec"]
    key = next(one for one in spec["volumes"] if one["name"] == "key")
    assert key["secret"]["secretName"] == "loadtest-key" and "items" not in key["secret"]
    assert the("loadtest", "Job")["metadata"]["name"] != the("loadtest-own-key", "Job")["metadata"]["name"]


@check
def the_load_generator_trusts_the_authority_of_nodes_with_tls():
    scenario = next(one for one in of_kind("loadtest-tls", "ConfigMap") if "scenario.toml" in one["data"])
    text = scenario["data"]["scenario.toml"]
    assert 'urls = ["wss://sb-switchboard.' in text and '.svc:80/v1/ws"]' in text
    assert f'ca_file = "{DIR}/ca/ca.crt"' in text
    spec = the("loadtest-tls", "Job")["spec"]["template"]["spec"]
    authority = next(one for one in spec["volumes"] if one["name"] == "ca")["secret"]
    assert authority["secretName"] == "sb-switchboard-node-tls"
    assert authority["items"] == [{"key": "ca.crt", "path": "ca.crt"}]
    mounts = {one["name"]: one["mountPath"] for one in spec["containers"][0]["volumeMounts"]}
    assert mounts["ca"] == f"{DIR}/ca"
