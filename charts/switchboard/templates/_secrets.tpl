{{- /* The Secrets, their volumes, and a checksum over them. Pods get Secrets only as files. */ -}}

{{- define "switchboard.inlineSecretName" -}}
{{- include "switchboard.fullname" . }}-trial
{{- end -}}

{{- define "switchboard.hs256Secret" -}}
{{- with .Values.auth.hs256 -}}
{{- if .existingSecret -}}{{ .existingSecret }}{{- else if .inlineSecret -}}{{ include "switchboard.inlineSecretName" $ }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "switchboard.hs256Key" -}}
{{- ternary .Values.auth.hs256.key "hs256-secret" (ne .Values.auth.hs256.existingSecret "") -}}
{{- end -}}

{{- define "switchboard.turnSecret" -}}
{{- with .Values.turn -}}
{{- if .existingSecret -}}{{ .existingSecret }}{{- else if .inlineSecret -}}{{ include "switchboard.inlineSecretName" $ }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "switchboard.turnKey" -}}
{{- ternary .Values.turn.key "turn-secret" (ne .Values.turn.existingSecret "") -}}
{{- end -}}

{{- define "switchboard.hasPublicKeys" -}}
{{- with .Values.auth.publicKeys -}}
{{- if or .existingSecret .existingConfigMap .pem -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{- define "switchboard.secretVolumes" -}}
{{- with include "switchboard.hs256Secret" . }}
- name: jwt
  secret:
    secretName: {{ quote . }}
    defaultMode: 0440
    items:
      - key: {{ include "switchboard.hs256Key" $ | quote }}
        path: hs256-secret
{{- end }}
{{- with .Values.auth.hs256.namedSecrets }}
- name: secrets
  secret:
    secretName: {{ quote . }}
    defaultMode: 0440
{{- end }}
{{- range $at, $issuer := .Values.auth.issuers }}
{{- range $kind, $name := dict "secrets" $issuer.namedSecrets "keys" $issuer.publicKeys }}
{{- if $name }}
- name: issuer-{{ $at }}-{{ $kind }}
  secret:
    secretName: {{ $name | quote }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- end }}
{{- if include "switchboard.hasPublicKeys" . }}
- name: keys
  projected:
    defaultMode: 0440
    sources:
      {{- with .Values.auth.publicKeys.existingSecret }}
      - secret:
          name: {{ quote . }}
      {{- end }}
      {{- with .Values.auth.publicKeys.existingConfigMap }}
      - configMap:
          name: {{ quote . }}
      {{- end }}
      {{- if .Values.auth.publicKeys.pem }}
      - configMap:
          name: {{ include "switchboard.fullname" . }}-keys
      {{- end }}
{{- end }}
{{- with .Values.webhooks.endpoints }}
- name: webhooks
  projected:
    defaultMode: 0440
    sources:
      {{- range . }}
      - secret:
          name: {{ .existingSecret | quote }}
          items:
            - key: {{ default "secret" .key | quote }}
              path: {{ .name | quote }}
      {{- end }}
{{- end }}
{{- with include "switchboard.nodeTlsSecret" . }}
- name: node-tls
  secret:
    secretName: {{ quote . }}
    defaultMode: 0440
    items:
      - {key: tls.crt, path: tls.crt}
      - {key: tls.key, path: tls.key}
{{- end }}
{{- with .Values.tls.clientCaSecret }}
- name: client-ca
  secret:
    secretName: {{ quote . }}
    defaultMode: 0440
    items:
      - {key: ca.crt, path: ca.crt}
{{- end }}
{{- with .Values.ops.existingSecret }}
- name: ops
  secret:
    secretName: {{ quote . }}
    defaultMode: 0440
    items:
      - key: {{ $.Values.ops.key | quote }}
        path: token
{{- end }}
{{- with include "switchboard.redisSecrets" . | fromYamlArray }}
- name: redis
  projected:
    defaultMode: 0440
    sources:
      {{- range . }}
      - secret:
          {{- toYaml . | nindent 10 }}
      {{- end }}
{{- end }}
{{- if (include "switchboard.turnUrls" . | fromYaml).turn }}
- name: turn
  secret:
    secretName: {{ include "switchboard.turnSecret" . | quote }}
    defaultMode: 0440
    items:
      - key: {{ include "switchboard.turnKey" . | quote }}
        path: secret
{{- end }}
{{- with include "switchboard.regionSecrets" . | fromYamlArray }}
- name: turn-regions
  projected:
    defaultMode: 0440
    sources:
      {{- range . }}
      - secret:
          name: {{ .existingSecret | quote }}
          items:
            - key: {{ default "turn-secret" .key | quote }}
              path: {{ .name | quote }}
      {{- end }}
{{- end }}
{{- end -}}

{{- /* The regions that have a Secret of their own. */ -}}
{{- define "switchboard.regionSecrets" -}}
{{- range .Values.turn.regions }}
{{- if .existingSecret }}
- {{ toJson (pick . "name" "existingSecret" "key") }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The Secrets of Redis, with the names that their keys have as files. */ -}}
{{- define "switchboard.redisSecrets" -}}
{{- if and (eq .Values.broker "redis") (not .Values.redis.bundled.enabled) }}
{{- $redis := .Values.redis }}
{{- range list
  (list $redis.external.existingSecret $redis.external.key "url")
  (list $redis.password.existingSecret $redis.password.key "password")
  (list $redis.sentinel.password.existingSecret $redis.sentinel.password.key "sentinel-password")
  (list $redis.tls.ca.existingSecret $redis.tls.ca.key "ca.crt")
  (list $redis.tls.client.existingSecret "tls.crt" "tls.crt")
  (list $redis.tls.client.existingSecret "tls.key" "tls.key")
}}
{{- if first . }}
- name: {{ index . 0 | quote }}
  items:
    - key: {{ index . 1 | quote }}
      path: {{ index . 2 | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "switchboard.secretMounts" -}}
{{- range (include "switchboard.secretVolumes" . | fromYamlArray) }}
- name: {{ .name | quote }}
  mountPath: {{ include "switchboard.dir" $ }}/{{ .name }}
  readOnly: true
{{- end }}
{{- end -}}

{{- /* Nodes read their files again, so a changed Secret needs no new pod. Only Redis at another host does: its address is a part of
       the Secret, without user and password. The chart looks the Secret up, which works in `helm upgrade` but not in
       `helm template`. */ -}}
{{- define "switchboard.redisChecksum" -}}
{{- $address := "" -}}
{{- with .Values.redis.external.existingSecret -}}
{{- $data := (lookup "v1" "Secret" (include "switchboard.namespace" $) .).data | default dict -}}
{{- $address = regexReplaceAll "(?m)^.*@" (get $data $.Values.redis.external.key | b64dec | trim) "" -}}
{{- end -}}
{{- sha256sum $address -}}
{{- end -}}
