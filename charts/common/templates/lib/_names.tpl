{{/*
Names and labels. A namespace holds one chart, so an object has the name of its workload, without a prefix.
*/}}

{{/* The home's DNS domain. */}}
{{- define "common.domain" -}}
{{ .Values.common.global.domain }}
{{- end -}}

{{/* The Secret that the Pulumi program writes for this chart. */}}
{{- define "common.secretName" -}}
{{ .Chart.Name }}-secrets
{{- end -}}

{{/* Labels that select a workload's pods. They never change: a Deployment's selector is immutable. Takes (root, name). */}}
{{- define "common.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{/* The labels of every object. Takes (root, name) and, for a workload's own objects, (workload). */}}
{{- define "common.labels" -}}
{{ include "common.selector" . }}
app.kubernetes.io/part-of: {{ .root.Chart.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .workload }}
{{- /* A label cannot hold a digest. */}}
app.kubernetes.io/version: {{ splitList "@" .image.tag | first | trunc 63 | quote }}
{{- with .labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Name of the claim behind a volume. Takes (name, volume). */}}
{{- define "common.claimName" -}}
{{ .name }}-{{ .volume }}
{{- end -}}

{{/*
"true" where an Ingress has its own certificate. A public CA limits certificates for each domain and publishes every
name: with Let's Encrypt, Traefik serves one wildcard certificate for all of them (charts/cert-manager). Takes the root.
*/}}
{{- define "common.ownCertificate" -}}
{{- $global := .Values.common.global -}}
{{- if not (and (eq $global.clusterIssuer "letsencrypt") (eq $global.ingressClass "traefik")) -}}true{{- end -}}
{{- end -}}
