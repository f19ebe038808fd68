{{- /* Values that cannot work together, each with a sentence and a solution. All problems are reported together. Not here:
       single values (values.schema.json). */ -}}

{{- define "switchboard.validate" -}}
{{- $problems := concat
  (include "switchboard.problemsOfKeys" . | fromYamlArray)
  (include "switchboard.problemsOfBroker" . | fromYamlArray)
  (include "switchboard.problemsOfScale" . | fromYamlArray)
  (include "switchboard.problemsOfExposure" . | fromYamlArray)
  (include "switchboard.problemsOfTls" . | fromYamlArray)
  (include "switchboard.problemsOfTurn" . | fromYamlArray)
  (include "switchboard.problemsOfRest" . | fromYamlArray) -}}
{{- if $problems -}}
{{- fail (printf "\n\nThese values cannot work:\n  - %s\n" (join "\n  - " $problems)) -}}
{{- end -}}
{{- end -}}

{{- define "switchboard.problemsOfKeys" -}}
{{- with .Values.auth }}
{{- if not (or .hs256.existingSecret .hs256.inlineSecret .hs256.namedSecrets .publicKeys.existingSecret .publicKeys.existingConfigMap .publicKeys.pem .jwks.url .discovery .issuers) }}
- "auth: nodes have no key to verify tokens with; set auth.hs256.existingSecret, auth.publicKeys, auth.jwks.url or auth.issuers (for a trial auth.hs256.inlineSecret)"
{{- end }}
{{- if and .hs256.existingSecret .hs256.inlineSecret }}
- "auth.hs256: set either existingSecret or inlineSecret, not both"
{{- end }}
{{- if and .jwks.url .discovery }}
- "auth.discovery: set either jwks.url or discovery, not both"
{{- end }}
{{- if and .discovery (not .issuer) }}
- "auth.discovery: needs auth.issuer, whose URL leads to the discovery document"
{{- end }}
{{- if and .hs256.inlineSecret (lt (len .hs256.inlineSecret) 32) }}
- "auth.hs256.inlineSecret: has {{ len .hs256.inlineSecret }} bytes; a node needs at least 32 (openssl rand -hex 32)"
{{- end }}
{{- range $kid, $pem := .publicKeys.pem }}
{{- if contains "PRIVATE KEY" $pem }}
- "auth.publicKeys.pem.{{ $kid }}: is a private key, which only the issuer may have; export the public key with openssl pkey -pubout"
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "switchboard.problemsOfBroker" -}}
{{- $redis := .Values.redis }}
{{- $external := $redis.external }}
{{- $isExternal := or $external.url $external.urls $external.existingSecret }}
{{- if eq .Values.broker "memory" }}
{{- if include "switchboard.isMany" . }}
- "broker: memory does not connect nodes, so peers on different nodes cannot reach each other; set replicaCount: 1 and no autoscaling, or broker: redis"
{{- end }}
{{- if or .Values.redis.bundled.enabled $isExternal }}
- "broker: is memory, but a Redis is configured; remove one of them"
{{- end }}
{{- else }}
{{- if and $redis.bundled.enabled (ne $redis.mode "standalone") }}
- "redis.mode: the bundled Redis is one server; set standalone"
{{- end }}
{{- if and $redis.bundled.enabled (or $redis.password.existingSecret $redis.tls.ca.existingSecret $redis.tls.client.existingSecret) }}
- "redis: the bundled Redis has no password and no TLS; use redis.external"
{{- end }}
{{- if and (eq $redis.mode "sentinel") (not $redis.sentinel.master) }}
- "redis.sentinel.master: is empty; set the name under which the Sentinels know the server, for example mymaster"
{{- end }}
{{- if and (ne $redis.mode "sentinel") (or $redis.sentinel.master $redis.sentinel.username $redis.sentinel.password.existingSecret) }}
- "redis.sentinel: has an effect with redis.mode sentinel only"
{{- end }}
{{- if and (eq $redis.mode "standalone") (gt (len $external.urls) 1) }}
- "redis.external.urls: redis.mode standalone takes exactly one URL"
{{- end }}
{{- if and $redis.bundled.enabled $isExternal }}
- "redis: set either redis.bundled.enabled or redis.external, not both"
{{- end }}
{{- if gt (len (compact (list $external.url $external.urls $external.existingSecret))) 1 }}
- "redis.external: set either url, urls or existingSecret"
{{- end }}
{{- if not (or $redis.bundled.enabled $isExternal) }}
- "redis: nodes have no connection to each other; set redis.external.url, urls or existingSecret (for a trial redis.bundled.enabled)"
{{- end }}
{{- range prepend $external.urls $external.url }}
{{- if regexMatch "^[a-z]+://[^/@]*:[^/@]+@" . }}
- "redis.external: a URL contains a password, which a ConfigMap would show; name its Secret in redis.password.existingSecret, or put the whole URL into one and name it in redis.external.existingSecret"
{{- end }}
{{- end }}
{{- $isTls := false }}
{{- range prepend $external.urls $external.url }}
{{- if regexMatch "^(rediss|valkeys)://" . }}{{ $isTls = true }}{{ end }}
{{- end }}
{{- if and (not $isTls) (not $external.existingSecret) (or $redis.tls.ca.existingSecret $redis.tls.client.existingSecret) }}
- "redis.tls: has an effect with rediss:// only"
{{- end }}
{{- end }}
{{- end -}}

{{- define "switchboard.problemsOfScale" -}}
{{- $hpa := .Values.autoscaling.hpa }}{{- $keda := .Values.autoscaling.keda }}{{- $pdb := .Values.podDisruptionBudget }}
{{- if and $hpa.enabled $keda.enabled }}
- "autoscaling: hpa and keda would both set the number of replicas; enable one of them"
{{- end }}
{{- range $name, $one := .Values.autoscaling }}
{{- if and $one.enabled (gt (int $one.minReplicas) (int $one.maxReplicas)) }}
- "autoscaling.{{ $name }}.minReplicas: is {{ $one.minReplicas }}, above maxReplicas ({{ $one.maxReplicas }})"
{{- end }}
{{- if and $one.enabled (gt (int $one.connectionsPerPod) (int $.Values.config.limits.connections)) }}
- "autoscaling.{{ $name }}.connectionsPerPod: is {{ int $one.connectionsPerPod }}, above config.limits.connections ({{ int $.Values.config.limits.connections }}), so it would never scale up"
{{- end }}
{{- end }}
{{- if and $hpa.enabled $hpa.cpuPercent (not (dig "requests" "cpu" "" .Values.resources)) }}
- "autoscaling.hpa.cpuPercent: is a share of resources.requests.cpu, which is not set"
{{- end }}
{{- if and $keda.enabled (not $keda.prometheusAddress) }}
- "autoscaling.keda.prometheusAddress: KEDA needs the address of Prometheus"
{{- end }}
{{- if and (not (kindIs "invalid" $pdb.minAvailable)) (not (kindIs "invalid" $pdb.maxUnavailable)) }}
- "podDisruptionBudget: set either minAvailable or maxUnavailable (null for the other), not both"
{{- end }}
{{- if and (ne (toString $pdb.enabled) "false") (has (toString $pdb.maxUnavailable) (list "0" "0%")) }}
- "podDisruptionBudget.maxUnavailable: of {{ $pdb.maxUnavailable }} allows no eviction, so a drain of a machine would never end; set at least 1, or podDisruptionBudget.enabled: false"
{{- end }}
{{- if and (ne (toString $pdb.enabled) "false") (not (kindIs "invalid" $pdb.minAvailable)) }}
{{- $least := int (include "switchboard.leastReplicas" .) }}
{{- if and (not (hasSuffix "%" (toString $pdb.minAvailable))) (ge (int $pdb.minAvailable) $least) }}
- "podDisruptionBudget.minAvailable: is {{ $pdb.minAvailable }} of {{ $least }} replicas, so no pod could be evicted and no machine drained; set it to {{ sub $least 1 }} or less"
{{- end }}
{{- if eq (toString $pdb.minAvailable) "100%" }}
- "podDisruptionBudget.minAvailable: of 100% allows no eviction and no drain of a machine; use maxUnavailable: 1"
{{- end }}
{{- end }}
{{- end -}}

{{- define "switchboard.problemsOfExposure" -}}
{{- $tls := .Values.ingress.tls }}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}
- "ingress.hosts: names no host; an Ingress without a host would get all traffic"
{{- end }}
{{- if and .Values.ingress.enabled (eq .Values.ingress.controller "alb") (gt (int64 .Values.ingress.timeoutSeconds) 4000) }}
- "ingress.timeoutSeconds: is {{ int64 .Values.ingress.timeoutSeconds }}, and AWS's balancer takes at most 4000"
{{- end }}
{{- if and .Values.ingress.enabled $tls.clusterIssuer $tls.issuer }}
- "ingress.tls: set either clusterIssuer or issuer, not both"
{{- end }}
{{- if and .Values.certificate.enabled (or $tls.clusterIssuer $tls.issuer) }}
- "certificate.enabled: ingress.tls already creates a Certificate with cert-manager; use one of the two"
{{- end }}
{{- if and .Values.certificate.enabled (not .Values.certificate.issuerRef.name) }}
- "certificate.issuerRef.name: is empty; name a cert-manager issuer"
{{- end }}
{{- if and .Values.certificate.enabled (not (or .Values.certificate.dnsNames .Values.ingress.hosts .Values.httpRoute.hostnames)) }}
- "certificate.dnsNames: is empty, and ingress and httpRoute have no host"
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
- "httpRoute.parentRefs: names no Gateway to attach to"
{{- end }}
{{- end -}}

{{- define "switchboard.problemsOfTls" -}}
{{- $has := include "switchboard.nodeTlsSecret" . }}
{{- with .Values.tls }}
{{- if and .existingSecret .issuerRef.name }}
- "tls: set either existingSecret or issuerRef.name, not both"
{{- end }}
{{- if and (not $has) (or .ops .clientCaSecret .dnsNames .caKey) }}
- "tls: nodes have no certificate; set tls.existingSecret or tls.issuerRef.name"
{{- end }}
{{- end }}
{{- if and $has (has .Values.service.appProtocol (list "http" "ws" "kubernetes.io/ws" "kubernetes.io/h2c")) }}
- "service.appProtocol: is {{ .Values.service.appProtocol }}, but nodes serve TLS; remove it, or use https or kubernetes.io/wss"
{{- end }}
{{- if and .Values.loadtest.enabled $has .Values.tls.clientCaSecret (eq .Values.tls.clientAuth "required") }}
- "loadtest: the generator has no certificate of a client; set tls.clientAuth to optional for the test"
{{- end }}
{{- end -}}

{{- define "switchboard.problemsOfTurn" -}}
{{- $coturn := .Values.coturn }}{{- $turn := .Values.turn }}
{{- if and $turn.existingSecret $turn.inlineSecret }}
- "turn: set either existingSecret or inlineSecret, not both"
{{- end }}
{{- if and (or $coturn.enabled $turn.turnUrls) (not (or $turn.existingSecret $turn.inlineSecret)) }}
- "turn.existingSecret: TURN needs the secret that nodes and coturn share for credentials; name a Secret (for a trial set turn.inlineSecret)"
{{- end }}
{{- if $coturn.enabled }}
{{- if not $coturn.host }}
- "coturn.host: clients need the address of coturn; set its name or address"
{{- end }}
{{- if ge (int $coturn.relayPorts.min) (int $coturn.relayPorts.max) }}
- "coturn.relayPorts: min ({{ $coturn.relayPorts.min }}) must be below max ({{ $coturn.relayPorts.max }})"
{{- end }}
{{- if and (ge (int $coturn.port) (int $coturn.relayPorts.min)) (le (int $coturn.port) (int $coturn.relayPorts.max)) }}
- "coturn.port: {{ $coturn.port }} is within coturn.relayPorts"
{{- end }}
{{- if and $coturn.tls.secretName (ge (int $coturn.tls.port) (int $coturn.relayPorts.min)) (le (int $coturn.tls.port) (int $coturn.relayPorts.max)) }}
- "coturn.tls.port: {{ $coturn.tls.port }} is within coturn.relayPorts"
{{- end }}
{{- if and $coturn.metrics.enabled (has (int $coturn.metrics.port) (list (int $coturn.port) (int $coturn.tls.port))) }}
- "coturn.metrics.port: {{ $coturn.metrics.port }} is a port for clients; metrics need another one"
{{- end }}
{{- if and $coturn.tls.secretName (eq (int $coturn.tls.port) (int $coturn.port)) }}
- "coturn.tls.port: equals coturn.port ({{ $coturn.port }}); TLS needs another port"
{{- end }}
{{- if eq $coturn.mode "deployment" }}
{{- if has $coturn.externalIp (list "" "auto") }}
- "coturn.externalIp: behind a load balancer clients need the balancer's address; reserve one and set it"
{{- end }}
{{- if gt (sub (int $coturn.relayPorts.max) (int $coturn.relayPorts.min)) 99 }}
- "coturn.relayPorts: a Service lists each relay port, so mode deployment supports at most 100 of them; use mode daemonset for more"
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "switchboard.problemsOfRest" -}}
{{- if hasPrefix "https://" (default "" .Values.config.telemetry.otlp_endpoint) }}
- "config.telemetry.otlp_endpoint: is https, which nodes do not serve; run a collector in the cluster and set its http:// address"
{{- end }}
{{- $isV4Only := regexMatch "^[0-9.]+$" .Values.ports.address }}
{{- if and $isV4Only (or (has "IPv6" .Values.service.ipFamilies) (hasSuffix "DualStack" .Values.service.ipFamilyPolicy)) }}
- "ports.address: is {{ .Values.ports.address }}, so nodes do not answer over IPv6, which service.ipFamilyPolicy or service.ipFamilies offers; set ports.address: \"[::]\", which listens on both"
{{- end }}
{{- $needed := int (include "switchboard.graceNeeded" .) }}
{{- if and .Values.terminationGracePeriodSeconds (lt (int .Values.terminationGracePeriodSeconds) $needed) }}
- "terminationGracePeriodSeconds: is {{ .Values.terminationGracePeriodSeconds }}, but a node needs up to {{ $needed }} s to stop (config.drain.settle_ms + config.drain.deadline_ms + terminationMarginSeconds); remove it, or drain faster"
{{- end }}
{{- with .Values.config.drain }}
{{- if gt (add (int64 .window_ms) (int64 .grace_ms)) (int64 .deadline_ms) }}
- "config.drain.deadline_ms: must be at least window_ms + grace_ms, or the last clients get no time to move"
{{- end }}
{{- end }}
{{- if eq (int .Values.ports.public) (int .Values.ports.ops) }}
- "ports: public and ops are both {{ .Values.ports.public }}; the operations port must be separate, because it can drain the node"
{{- end }}
{{- with .Values.ports.api }}
{{- if or (eq (int .) (int $.Values.ports.public)) (eq (int .) (int $.Values.ports.ops)) }}
- "ports.api: {{ . }} is another port of the node; leave it out to serve the backend API on the public port"
{{- end }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled }}
- "metrics: serviceMonitor and podMonitor would scrape every node twice; enable one of them"
{{- end }}
{{- if and .Values.loadtest.enabled (not (include "switchboard.hs256Secret" .)) (not .Values.loadtest.keySecret) }}
- "loadtest: the generator signs its own tokens; it needs auth.hs256, or a private key in loadtest.keySecret"
{{- end }}
{{- end -}}
