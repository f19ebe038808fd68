{{- /* The notes after an installation. A separate template, because a test renders it. */ -}}

{{- define "switchboard.notes" -}}
{{- $name := include "switchboard.fullname" . -}}
{{- $tls := include "switchboard.tlsSecret" . -}}
{{- $nodeTls := include "switchboard.nodeTlsSecret" . -}}
{{- $ws := ternary "wss" "ws" (ne $nodeTls "") -}}
{{- $without := ternary ", with the certificate of the nodes" ", without TLS" (ne $nodeTls "") -}}
Switchboard {{ .Chart.AppVersion }} is installed as {{ $name }} in {{ include "switchboard.namespace" . }}.

Clients connect to:
{{- if .Values.ingress.enabled }}
{{- range .Values.ingress.hosts }}
  {{ ternary "wss" "ws" (ne $tls "") }}://{{ . }}/v1/ws
{{- end }}
{{- if not $tls }}
  This Ingress has no TLS: browsers refuse ws:// on an https page. Set ingress.tls.
{{- end }}
{{- end }}
{{- if .Values.httpRoute.enabled }}
{{- range .Values.httpRoute.hostnames }}
  wss://{{ . }}/v1/ws   (through the Gateway, if its listener has TLS)
{{- end }}
{{- end }}
{{- if eq .Values.service.type "LoadBalancer" }}
  {{ $ws }}://$ADDRESS:{{ .Values.service.port }}/v1/ws{{ $without }}{{ if not $nodeTls }} unless your load balancer adds it{{ end }}, with
    ADDRESS=$(kubectl -n {{ include "switchboard.namespace" . }} get service {{ $name }} -o jsonpath='{.status.loadBalancer.ingress[0].ip}')
{{- else if eq .Values.service.type "NodePort" }}
  {{ $ws }}://ANY-MACHINE:$PORT/v1/ws{{ $without }}, with
    PORT=$(kubectl -n {{ include "switchboard.namespace" . }} get service {{ $name }} -o jsonpath='{.spec.ports[0].nodePort}')
{{- else if not (or .Values.ingress.enabled .Values.httpRoute.enabled) }}
  {{ $ws }}://127.0.0.1:8080/v1/ws after
    kubectl -n {{ include "switchboard.namespace" . }} port-forward service/{{ $name }} 8080:{{ .Values.service.port }}
  The nodes are reachable only inside the cluster. Set ingress.enabled, httpRoute.enabled or service.type.
{{- end }}
{{- if not .Values.config.server.allowed_origins }}
  Nodes refuse pages of other hosts. Add their origins to config.server.allowed_origins.
{{- end }}
{{- with .Values.ports.api }}

The backend API is at {{ ternary "https" "http" (ne $nodeTls "") }}://{{ $name }}-api.{{ include "switchboard.namespace" $ }}:{{ . }}, for the pods that networkPolicy.apiFrom names.
{{- end }}

Test an offer and its answer between two pods:
{{- if and $nodeTls .Values.tls.clientCaSecret (eq .Values.tls.clientAuth "required") }}
  There is no helm test: the nodes require a certificate of clients.
{{- else if and .Values.selftest.enabled (or .Values.selftest.tokensSecret (include "switchboard.hs256Secret" .)) }}
  helm -n {{ .Release.Namespace }} test {{ .Release.Name }}
{{- else }}
  The helm test needs two tokens of your issuer in selftest.tokensSecret.
{{- end }}
{{- if or .Values.auth.hs256.inlineSecret .Values.turn.inlineSecret }}

WARNING: the values contain a secret (auth.hs256.inlineSecret, turn.inlineSecret). Every reader of the release's history
can sign tokens. For a trial only; use existingSecret instead.
{{- end }}
{{- if .Values.redis.bundled.enabled }}

WARNING: the bundled Redis has no password, no persistence and no failover. For a trial only; use redis.external.
{{- end }}
{{- if eq .Values.broker "memory" }}

One node without Redis: it cannot be scaled, and an upgrade disconnects all clients for a moment.
{{- end }}
{{- if and .Values.coturn.enabled (eq .Values.coturn.mode "daemonset") }}

coturn runs on the host network: the namespace must allow that (pod-security.kubernetes.io/enforce: privileged), and
firewalls must let UDP {{ .Values.coturn.relayPorts.min }}-{{ .Values.coturn.relayPorts.max }} and {{ .Values.coturn.port }} through.
{{- end }}
{{- if not .Values.networkPolicy.enabled }}

networkPolicy.enabled is false: every client that reaches port {{ .Values.ports.ops }} of a pod can drain it.
{{- end }}
{{- end -}}
