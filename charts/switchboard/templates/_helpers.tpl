{{- /* Names, labels, images and security contexts. Not here: which values can be combined (_validate.tpl). */ -}}

{{- define "switchboard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* 50 characters leave room for the longest suffix. */ -}}
{{- define "switchboard.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "switchboard.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "switchboard.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "switchboard.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* The selector of every object of the release. */ -}}
{{- define "switchboard.releaseSelector" -}}
app.kubernetes.io/name: {{ include "switchboard.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Takes (list $ component). */ -}}
{{- define "switchboard.selector" -}}
{{- $root := first . -}}
{{ include "switchboard.releaseSelector" $root }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{- /* Takes (list $ component). */ -}}
{{- define "switchboard.labels" -}}
{{- $root := first . -}}
{{ include "switchboard.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: switchboard
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Takes (list $ image fallback-tag); a digest replaces a tag. */ -}}
{{- define "switchboard.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- $registry := ($root.Values.global | default dict).imageRegistry -}}
{{- $repository := $image.repository -}}
{{- if $registry -}}{{- $repository = printf "%s/%s" (trimSuffix "/" $registry) $repository -}}
{{- else if $image.registry -}}{{- $repository = printf "%s/%s" $image.registry $repository -}}{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default (index . 2) $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "switchboard.nodeImage" -}}
{{- include "switchboard.image" (list . .Values.image .Chart.AppVersion) -}}
{{- end -}}

{{- define "switchboard.pullSecrets" -}}
{{- $secrets := concat .Values.imagePullSecrets (default list (.Values.global | default dict).imagePullSecrets) -}}
{{- with $secrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ if kindIs "string" . }}{{ . }}{{ else }}{{ .name }}{{ end }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* Takes the user ID; the restricted Pod Security standard. */ -}}
{{- define "switchboard.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "switchboard.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- /* The placement of the pods of a component. Takes the component's values. */ -}}
{{- define "switchboard.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- /* "true" if more than one node can run. */ -}}
{{- define "switchboard.isMany" -}}
{{- if or (include "switchboard.isScaled" .) (gt (int .Values.replicaCount) 1) -}}true{{- end -}}
{{- end -}}

{{- define "switchboard.isScaled" -}}
{{- if or .Values.autoscaling.hpa.enabled .Values.autoscaling.keda.enabled -}}true{{- end -}}
{{- end -}}

{{- /* The minimum number of nodes. */ -}}
{{- define "switchboard.leastReplicas" -}}
{{- if .Values.autoscaling.hpa.enabled -}}{{ .Values.autoscaling.hpa.minReplicas }}
{{- else if .Values.autoscaling.keda.enabled -}}{{ .Values.autoscaling.keda.minReplicas }}
{{- else -}}{{ .Values.replicaCount }}{{- end -}}
{{- end -}}

{{- /* Port of a URL as a number; takes (list url default). */ -}}
{{- define "switchboard.portOf" -}}
{{- $host := (urlParse (first .)).host -}}
{{- regexFind ":[0-9]+$" $host | trimPrefix ":" | default (last . | toString) -}}
{{- end -}}
