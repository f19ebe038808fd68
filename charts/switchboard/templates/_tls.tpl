{{- /* TLS on the nodes: its Secret, and how others reach a node that has it. Not the certificate of a proxy (certificate.yaml). */ -}}

{{- /* The Secret with the nodes' certificate; nothing: they serve plain HTTP. */ -}}
{{- define "switchboard.nodeTlsSecret" -}}
{{- with .Values.tls -}}
{{- if .existingSecret -}}{{ .existingSecret }}{{- else if .issuerRef.name -}}{{ include "switchboard.fullname" $ }}-node-tls{{- end -}}
{{- end -}}
{{- end -}}

{{- /* "true" if the operations port has TLS. */ -}}
{{- define "switchboard.hasOpsTls" -}}
{{- if and .Values.tls.ops (include "switchboard.nodeTlsSecret" .) -}}true{{- end -}}
{{- end -}}

{{- /* The name of the nodes for the helm test and monitors; their certificate must have it. */ -}}
{{- define "switchboard.podsHost" -}}
{{ include "switchboard.fullname" . }}-pods.{{ include "switchboard.namespace" . }}.svc
{{- end -}}

{{- /* The names of the nodes' certificate, as a list. */ -}}
{{- define "switchboard.nodeTlsNames" -}}
{{- $names := concat .Values.tls.dnsNames .Values.ingress.hosts .Values.httpRoute.hostnames -}}
{{- range $suffix := list "" "-pods" "-api" -}}
{{- $names = append $names (printf "%s%s.%s.svc" (include "switchboard.fullname" $) $suffix (include "switchboard.namespace" $)) -}}
{{- end -}}
{{- uniq $names | toYaml -}}
{{- end -}}

{{- /* The section of a port, as the value of its key in the node's configuration. Takes (list $ with-clients). */ -}}
{{- define "switchboard.portTls" -}}
{{- $root := index . 0 -}}
{{- $tls := $root.Values.tls -}}
{{- $dir := printf "%s/node-tls" (include "switchboard.dir" $root) -}}
{{- $section := dict "cert_file" (printf "%s/tls.crt" $dir) "key_file" (printf "%s/tls.key" $dir) "min_version" $tls.minVersion -}}
{{- if and (index . 1) $tls.clientCaSecret -}}
{{- $section = merge $section (dict "client_ca_file" (printf "%s/client-ca/ca.crt" (include "switchboard.dir" $root)) "client_auth" $tls.clientAuth) -}}
{{- end -}}
{{- toJson $section -}}
{{- end -}}

{{- /* The protocol of the Services' ports for clients. */ -}}
{{- define "switchboard.appProtocol" -}}
{{- .Values.service.appProtocol | default (ternary "https" "" (ne (include "switchboard.nodeTlsSecret" .) "")) -}}
{{- end -}}
