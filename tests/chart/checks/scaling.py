"""How many nodes there are: budget, HPA, KEDA."""

from support import check, metrics_of_the_page, node, of_kind, the, the_nodes


@check
def a_budget_is_created_above_one_replica():
    assert the("minimal", "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert the("hpa", "PodDisruptionBudget")
    assert not of_kind("one-replica-redis", "PodDisruptionBudget")
    spec = the("budget", "PodDisruptionBudget")["spec"]
    assert spec["minAvailable"] == 4 and "maxUnavailable" not in spec


@check
def pods_that_a_redis_outage_made_unready_can_still_be_evicted():
    assert the("minimal", "PodDisruptionBudget")["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@check
def an_autoscaler_owns_the_number_of_replicas():
    assert the_nodes("minimal")["spec"]["replicas"] == 2
    assert "replicas" not in the_nodes("hpa")["spec"] and "replicas" not in the_nodes("keda")["spec"]


@check
def the_hpa_looks_at_connections_per_pod_and_at_the_cpu_of_the_node_alone():
    spec = the("hpa", "HorizontalPodAutoscaler")["spec"]
    assert spec["scaleTargetRef"]["name"] == the_nodes("hpa")["metadata"]["name"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 20)
    pods, cpu = spec["metrics"]
    assert pods["pods"]["metric"]["name"] == "switchboard_connections"
    assert pods["pods"]["target"] == {"type": "AverageValue", "averageValue": "8000"}
    assert cpu["containerResource"]["container"] == node("hpa")[1]["name"]
    only = the("hpa-connections-only", "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert [one["pods"]["metric"]["name"] for one in only] == ["signaling_connections"]


@check
def the_metric_that_is_scaled_on_exists():
    assert metrics_of_the_page()["switchboard_connections"] == "gauge"


@check
def scaling_up_is_immediate_and_scaling_down_is_slow():
    keda = the("keda", "ScaledObject")["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    hpa = the("hpa", "HorizontalPodAutoscaler")["spec"]["behavior"]
    assert keda == hpa
    assert hpa["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert hpa["scaleDown"]["stabilizationWindowSeconds"] == 600
    assert hpa["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 120}]


@check
def keda_asks_prometheus_for_the_connections_of_this_namespace():
    assert not of_kind("keda", "HorizontalPodAutoscaler")
    spec = the("keda", "ScaledObject")["spec"]
    prometheus, cpu = spec["triggers"]
    assert prometheus["metadata"]["query"] == 'sum(switchboard_connections{namespace="calls"})'
    assert prometheus["metadata"]["threshold"] == "10000"
    assert cpu["type"] == "cpu" and cpu["metadata"]["containerName"] == "node"
    # Two releases in one namespace have different queries where their jobs are known.
    own = the("everything", "ScaledObject", "sb-switchboard")["spec"]["triggers"][0]
    assert own["metadata"]["query"] == 'sum(switchboard_connections{namespace="calls",job="signaling"})'
    assert own["authenticationRef"] == {"name": "prometheus", "kind": "ClusterTriggerAuthentication"}
    assert own["metadata"]["authModes"] == "bearer"
    # An outage of Prometheus must not scale the cluster down.
    assert spec["fallback"]["behavior"] == "currentReplicasIfHigher"
