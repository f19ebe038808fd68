{{- /* The node's configuration: values.config with the node's key names, and the keys that the chart sets itself.
       Not here: which values can be combined (_validate.tpl). */ -}}

{{- /* The folder of all mounts. Tests depend on it. */ -}}
{{- define "switchboard.dir" -}}/etc/switchboard{{- end -}}

{{- /* A value as TOML. JSON strings and lists of strings are valid TOML. A whole number must not become 2e+04. */ -}}
{{- define "switchboard.toml" -}}
{{- if kindIs "map" . -}}
{ {{ range $at, $key := keys . | sortAlpha }}{{ if $at }}, {{ end }}{{ toJson $key }} = {{ toJson (get $ $key) }}{{ end }} }
{{- else -}}
{{- if kindIs "float64" . -}}
{{- if eq (floor .) . -}}{{- int64 . -}}{{- else -}}{{- . -}}{{- end -}}
{{- else -}}
{{- toJson . -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "switchboard.coturnUrls" -}}
{{- with .Values.coturn }}
{{- if .enabled -}}
{{- $host := include "switchboard.urlHost" .host -}}
stun: ["stun:{{ $host }}:{{ .port }}"]
turn: ["turn:{{ $host }}:{{ .port }}?transport=udp", "turn:{{ $host }}:{{ .port }}?transport=tcp"
  {{- if .tls.secretName }}, "turns:{{ $host }}:{{ .tls.port }}?transport=tcp"{{ end }}]
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "switchboard.turnUrls" -}}
{{- $own := include "switchboard.coturnUrls" . | fromYaml -}}
{{- dict "stun" (concat (default list $own.stun) .Values.turn.stunUrls) "turn" (concat (default list $own.turn) .Values.turn.turnUrls) | toYaml -}}
{{- end -}}

{{- /* The keys that the chart sets. They override values.config, whose schema excludes them. */ -}}
{{- define "switchboard.chosen" -}}
{{- $dir := include "switchboard.dir" . -}}
{{- $urls := include "switchboard.turnUrls" . | fromYaml -}}
server:
  listen: {{ printf "%s:%d" .Values.ports.address (int .Values.ports.public) | quote }}
  ops_listen: {{ printf "%s:%d" .Values.ports.address (int .Values.ports.ops) | quote }}
  {{- with .Values.ports.api }}
  api_listen: {{ printf "%s:%d" $.Values.ports.address (int .) | quote }}
  {{- end }}
  {{- if include "switchboard.nodeTlsSecret" . }}
  tls: {{ include "switchboard.portTls" (list . true) }}
  {{- end }}
{{- if or .Values.ops.existingSecret (include "switchboard.hasOpsTls" .) }}
ops:
  {{- if .Values.ops.existingSecret }}
  token_file: {{ $dir }}/ops/token
  {{- end }}
  {{- if include "switchboard.hasOpsTls" . }}
  tls: {{ include "switchboard.portTls" (list . false) }}
  {{- end }}
{{- end }}
auth:
  audience: {{ .Values.auth.audience | quote }}
  issuer: {{ .Values.auth.issuer | quote }}
  {{- if include "switchboard.hs256Secret" . }}
  hs256_secret_file: {{ $dir }}/jwt/hs256-secret
  {{- end }}
  {{- if .Values.auth.hs256.namedSecrets }}
  hs256_secrets_dir: {{ $dir }}/secrets
  {{- end }}
  {{- if .Values.auth.discovery }}
  discovery: true
  {{- end }}
  {{- if include "switchboard.hasPublicKeys" . }}
  public_keys_dir: {{ $dir }}/keys
  {{- end }}
  {{- with .Values.auth.jwks.url }}
  jwks_url: {{ . | quote }}
  {{- end }}
broker:
  kind: {{ .Values.broker }}
  {{- if eq .Values.broker "redis" }}
  redis_mode: {{ .Values.redis.mode }}
  {{- if .Values.redis.bundled.enabled }}
  redis_urls: ["redis://{{ include "switchboard.fullname" . }}-redis:6379"]
  {{- else if .Values.redis.external.existingSecret }}
  redis_url_file: {{ $dir }}/redis/url
  {{- else }}
  redis_urls: {{ toJson (.Values.redis.external.urls | default (list .Values.redis.external.url)) }}
  {{- end }}
  {{- with .Values.redis.keyPrefix }}
  redis_key_prefix: {{ quote . }}
  {{- end }}
  {{- with .Values.redis.username }}
  redis_username: {{ quote . }}
  {{- end }}
  {{- if .Values.redis.password.existingSecret }}
  redis_password_file: {{ $dir }}/redis/password
  {{- end }}
  {{- with .Values.redis.sentinel.master }}
  redis_sentinel_master: {{ quote . }}
  {{- end }}
  {{- with .Values.redis.sentinel.username }}
  redis_sentinel_username: {{ quote . }}
  {{- end }}
  {{- if .Values.redis.sentinel.password.existingSecret }}
  redis_sentinel_password_file: {{ $dir }}/redis/sentinel-password
  {{- end }}
  {{- if .Values.redis.tls.ca.existingSecret }}
  redis_ca_file: {{ $dir }}/redis/ca.crt
  {{- end }}
  {{- if .Values.redis.tls.client.existingSecret }}
  redis_cert_file: {{ $dir }}/redis/tls.crt
  redis_key_file: {{ $dir }}/redis/tls.key
  {{- end }}
  {{- end }}
ice:
  stun_urls: {{ toJson (default list $urls.stun) }}
  turn_urls: {{ toJson (default list $urls.turn) }}
  {{- if $urls.turn }}
  turn_secret_file: {{ $dir }}/turn/secret
  {{- end }}
{{- end -}}

{{- /* The configuration file. */ -}}
{{- define "switchboard.config" -}}
{{- $config := mergeOverwrite (deepCopy .Values.config) (include "switchboard.chosen" . | fromYaml) -}}
{{- range $section, $keys := $config }}
{{- if $keys }}
[{{ $section }}]
{{- range $key, $value := $keys }}
{{- if not (kindIs "invalid" $value) }}
{{ $key }} = {{ include "switchboard.toml" $value }}
{{- end }}
{{- end }}
{{ end }}
{{- end }}
{{- range .Values.webhooks.endpoints }}
[[webhooks.endpoints]]
name = {{ .name | quote }}
url = {{ .url | quote }}
secret_files = ["{{ include "switchboard.dir" $ }}/webhooks/{{ .name }}"]
{{- with .events }}
events = {{ toJson . }}
{{- end }}
{{- with .tenants }}
tenants = {{ toJson . }}
{{- end }}
{{ end }}
{{- $dir := include "switchboard.dir" . }}
{{- range .Values.turn.regions }}
[[ice.regions]]
name = {{ .name | quote }}
turn_urls = {{ toJson .turnUrls }}
{{- with .stunUrls }}
stun_urls = {{ toJson . }}
{{- end }}
{{- with .headerValues }}
header_values = {{ toJson . }}
{{- end }}
{{- with .ttlSeconds }}
turn_ttl_s = {{ int64 . }}
{{- end }}
{{- if .existingSecret }}
turn_secret_file = "{{ $dir }}/turn-regions/{{ .name }}"
{{- end }}
{{ end }}
{{- range $at, $issuer := .Values.auth.issuers }}
[[auth.issuers]]
{{- range $key, $value := omit $issuer "namedSecrets" "publicKeys" }}
{{ $key }} = {{ include "switchboard.toml" $value }}
{{- end }}
{{- if $issuer.namedSecrets }}
hs256_secrets_dir = "{{ $dir }}/issuer-{{ $at }}-secrets"
{{- end }}
{{- if $issuer.publicKeys }}
public_keys_dir = "{{ $dir }}/issuer-{{ $at }}-keys"
{{- end }}
{{ end }}
{{- end -}}

{{- /* The ports of the servers that publish keys, as a list. */ -}}
{{- define "switchboard.keyPorts" -}}
{{- $urls := list .Values.auth.jwks.url (ternary .Values.auth.issuer "" .Values.auth.discovery) -}}
{{- range .Values.auth.issuers -}}
{{- $urls = concat $urls (list (default "" .jwks_url) (ternary (default "" .issuer) "" (default false .discovery))) -}}
{{- end -}}
{{- $ports := list -}}
{{- range compact $urls -}}
{{- $ports = append $ports (include "switchboard.portOf" (list . (ternary 443 80 (hasPrefix "https:" .))) | int) -}}
{{- end -}}
{{- uniq $ports | toJson -}}
{{- end -}}

{{- /* The ports of Redis: those of the URLs, and the given one where these are in a Secret or name other servers. */ -}}
{{- define "switchboard.redisPorts" -}}
{{- $external := .Values.redis.external -}}
{{- $ports := list -}}
{{- range compact (prepend $external.urls $external.url) -}}
{{- $ports = append $ports (include "switchboard.portOf" (list . 6379) | int) -}}
{{- end -}}
{{- if or $external.existingSecret (has .Values.redis.mode (list "sentinel" "cluster")) -}}
{{- $ports = append $ports (int $external.port) -}}
{{- end -}}
{{- uniq $ports | toJson -}}
{{- end -}}

{{- /* The longest stop of a node in seconds: settle, deadline of the drain, and a margin for the broker and traces. */ -}}
{{- define "switchboard.graceNeeded" -}}
{{- $ms := add (int64 .Values.config.drain.settle_ms) (int64 .Values.config.drain.deadline_ms) -}}
{{- add (ceil (divf $ms 1000)) (int64 .Values.terminationMarginSeconds) -}}
{{- end -}}
