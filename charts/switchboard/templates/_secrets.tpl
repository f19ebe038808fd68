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
    secretName: {{ . }}
    defaultMode: 0440
    items:
      - key: {{ include "switchboard.hs256Key" $ }}
        path: hs256-secret
{{- end }}
{{- with .Values.auth.hs256.namedSecrets }}
- name: secrets
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- range $at, $issuer := .Values.auth.issuers }}
{{- range $kind, $name := dict "secrets" $issuer.namedSecrets "keys" $issuer.publicKeys }}
{{- if $name }}
- name: issuer-{{ $at }}-{{ $kind }}
  secret:
    secretName: {{ $name }}
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
          name: {{ . }}
      {{- end }}
      {{- with .Values.auth.publicKeys.existingConfigMap }}
      - configMap:
          name: {{ . }}
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
          name: {{ .existingSecret }}
          items:
            - key: {{ default "secret" .key }}
              path: {{ .name }}
      {{- end }}
{{- end }}
{{- with .Values.ops.existingSecret }}
- name: ops
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items:
      - key: {{ $.Values.ops.key }}
        path: token
{{- end }}
{{- if and (eq .Values.broker "redis") .Values.redis.external.existingSecret (not .Values.redis.bundled.enabled) }}
- name: redis
  secret:
    secretName: {{ .Values.redis.external.existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ .Values.redis.external.key }}
        path: url
{{- end }}
{{- if (include "switchboard.turnUrls" . | fromYaml).turn }}
- name: turn
  secret:
    secretName: {{ include "switchboard.turnSecret" . }}
    defaultMode: 0440
    items:
      - key: {{ include "switchboard.turnKey" . }}
        path: secret
{{- end }}
{{- with include "switchboard.regionSecrets" . | fromYamlArray }}
- name: turn-regions
  projected:
    defaultMode: 0440
    sources:
      {{- range . }}
      - secret:
          name: {{ .existingSecret }}
          items:
            - key: {{ default "turn-secret" .key }}
              path: {{ .name }}
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

{{- define "switchboard.secretMounts" -}}
{{- range (include "switchboard.secretVolumes" . | fromYamlArray) }}
- name: {{ .name }}
  mountPath: {{ include "switchboard.dir" $ }}/{{ .name }}
  readOnly: true
{{- end }}
{{- end -}}

{{- /* A node reads these secrets at its start, so a changed Secret must change the pod. Keys that verify tokens are not among
       them: a node reads them again. The chart looks up external Secrets, which works in `helm upgrade` but not in
       `helm template`. */ -}}
{{- define "switchboard.secretChecksum" -}}
{{- $seen := list .Values.turn.inlineSecret -}}
{{- $names := list .Values.redis.external.existingSecret .Values.turn.existingSecret .Values.ops.existingSecret -}}
{{- range .Values.turn.regions -}}{{- $names = append $names .existingSecret -}}{{- end -}}
{{- range $names -}}
{{- if . -}}{{- $seen = append $seen (lookup "v1" "Secret" $.Release.Namespace .).data -}}{{- end -}}
{{- end -}}
{{- toJson $seen | sha256sum -}}
{{- end -}}
