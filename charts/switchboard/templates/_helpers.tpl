{{- /* Names, labels and images. Not here: what pods have in common (_pods.tpl), and which values can be combined
       (_validate.tpl). */ -}}

{{- define "switchboard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimAll "-." -}}
{{- end -}}

{{- /* A name that every kind of object accepts. A Service is strictest: lower case, digits and hyphens, no digit first.
       Takes (list name length). */ -}}
{{- define "switchboard.dnsLabel" -}}
{{- $name := first . | replace "." "-" -}}
{{- if regexMatch "^[0-9]" $name -}}{{- $name = printf "sb-%s" $name -}}{{- end -}}
{{- $name | trunc (last .) | trimAll "-" -}}
{{- end -}}

{{- /* 50 characters leave room for `-coturn-65535`. The Job of the load test has a longer suffix, and shortens the name itself. */ -}}
{{- define "switchboard.fullname" -}}
{{- $name := include "switchboard.name" . -}}
{{- $own := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- include "switchboard.dnsLabel" (list (default $own .Values.fullnameOverride) 50) -}}
{{- end -}}

{{- define "switchboard.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
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
app.kubernetes.io/name: {{ include "switchboard.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- /* Takes (list $ component). */ -}}
{{- define "switchboard.selector" -}}
{{- $root := first . -}}
{{ include "switchboard.releaseSelector" $root }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{- /* The labels of an object. The chart's own win over commonLabels. Takes (list $ component). */ -}}
{{- define "switchboard.labels" -}}
{{- $root := first . -}}
{{- $own := include "switchboard.selector" . | fromYaml -}}
{{- $about := dict
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/managed-by" $root.Release.Service
  "app.kubernetes.io/part-of" "switchboard"
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimAll "-_.") -}}
{{- merge $own $about $root.Values.commonLabels | toYaml -}}
{{- end -}}

{{- /* The labels of a pod: without versions, so that a new version of the chart replaces no pod that is otherwise the same.
       Takes (list $ component more-labels). */ -}}
{{- define "switchboard.podLabels" -}}
{{- $root := index . 0 -}}
{{- $own := include "switchboard.selector" (list $root (index . 1)) | fromYaml -}}
{{- merge $own (dict "app.kubernetes.io/part-of" "switchboard") (index . 2) $root.Values.commonLabels | toYaml -}}
{{- end -}}

{{- /* Name, namespace and labels of an object. Takes (list $ component suffix), or a fourth entry: labels that win. */ -}}
{{- define "switchboard.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "switchboard.fullname" $root }}{{ index . 2 }}
namespace: {{ include "switchboard.namespace" $root | quote }}
labels:
  {{- $labels := include "switchboard.labels" (list $root (index . 1)) | fromYaml }}
  {{- if gt (len .) 3 }}{{ $labels = mergeOverwrite $labels (index . 3) }}{{ end }}
  {{- toYaml $labels | nindent 2 }}
{{- end -}}

{{- /* Annotations of an object, indented, or nothing. */ -}}
{{- define "switchboard.annotations" -}}
{{- with . }}
  annotations:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end -}}

{{- /* Takes (list $ image fallback-tag). A digest replaces a tag, and global.imageRegistry the registry of the image: the part
       before the first slash, if it can be a host. */ -}}
{{- define "switchboard.image" -}}
{{- $image := index . 1 -}}
{{- $repository := $image.repository -}}
{{- with ((index . 0).Values.global | default dict).imageRegistry -}}
{{- $parts := splitList "/" $repository -}}
{{- if and (gt (len $parts) 1) (regexMatch "[.:]|^localhost$" (first $parts)) -}}{{- $parts = rest $parts -}}{{- end -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) (join "/" $parts) -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default (index . 2) $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "switchboard.nodeImage" -}}
{{- include "switchboard.image" (list . .Values.image .Chart.AppVersion) -}}
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

{{- /* A host as it stands in a URL: an IPv6 address in brackets. */ -}}
{{- define "switchboard.urlHost" -}}
{{- if and (contains ":" .) (not (hasPrefix "[" .)) -}}[{{ . }}]{{- else -}}{{ . }}{{- end -}}
{{- end -}}
