{{- /* What the pods of all components have in common: registry Secrets, security contexts, placement. Not here: their
       containers and volumes. */ -}}

{{- define "switchboard.pullSecrets" -}}
{{- $secrets := concat .Values.imagePullSecrets (default list (.Values.global | default dict).imagePullSecrets) -}}
{{- with $secrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ if kindIs "string" . }}{{ quote . }}{{ else }}{{ quote .name }}{{ end }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* "true" if the platform chooses the user of each namespace, as OpenShift does, and refuses a fixed one. */ -}}
{{- define "switchboard.hasAssignedUser" -}}
{{- $openshift := .Capabilities.APIVersions.Has "security.openshift.io/v1" -}}
{{- if or (eq .Values.userIds "assigned") (and (eq .Values.userIds "auto") $openshift) -}}true{{- end -}}
{{- end -}}

{{- /* Everything of a pod's specification that does not depend on its component, for the restricted Pod Security standard.
       Takes (list $ component's-values user-ID), or a fourth entry: defaults of the settings. */ -}}
{{- define "switchboard.pod" -}}
{{- $root := index . 0 -}}{{- $values := index . 1 -}}{{- $user := index . 2 -}}
{{- $security := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- if not (include "switchboard.hasAssignedUser" $root) -}}
{{- $security = merge $security (dict "runAsUser" $user "runAsGroup" $user "fsGroup" $user) -}}
{{- end -}}
{{- $settings := ternary (dict) (last .) (eq (len .) 3) -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" -}}
{{- with get $values $key -}}{{- $_ := set $settings $key . -}}{{- end -}}
{{- end -}}
{{- $settings = merge (deepCopy (omit $values.pod "securityContext")) $settings -}}
serviceAccountName: {{ include "switchboard.serviceAccountName" $root | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- include "switchboard.pullSecrets" $root }}
securityContext:
  {{- mergeOverwrite $security (deepCopy (default dict $values.pod.securityContext)) | toYaml | nindent 2 }}
{{- with $settings }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The security context of a container. Takes the component's values. */ -}}
{{- define "switchboard.containerSecurity" -}}
{{- $own := dict
  "allowPrivilegeEscalation" false
  "readOnlyRootFilesystem" true
  "runAsNonRoot" true
  "capabilities" (dict "drop" (list "ALL"))
  "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- mergeOverwrite $own (deepCopy .containerSecurityContext) | toYaml -}}
{{- end -}}
