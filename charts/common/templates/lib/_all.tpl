{{/*
All objects that a chart's values describe. A chart's only template is usually one line:

    {{ include "common.all" . }}
*/}}
{{- define "common.all" -}}
{{- include "common.validate" . -}}
{{- include "common.expand" . -}}
{{- $root := . -}}
{{- $copies := dict "root" . "users" list -}}
{{- include "common.backup.expand" $copies -}}
{{- $usesMedia := false -}}
{{- $objects := list -}}
{{- if .Values.workloads -}}
  {{- $objects = append $objects (include "common.networkpolicy.closed" .) -}}
{{- end -}}
{{- range $name, $_ := .Values.configs -}}
  {{- $objects = append $objects (include "common.configmap" (dict "root" $root "name" $name)) -}}
{{- end -}}
{{- range $name, $_ := .Values.workloads -}}
  {{- $context := dict "root" $root "name" $name -}}
  {{- include "common.workload" $context -}}
  {{- $workload := $context.workload -}}
  {{- if ne (toString $workload.enabled) "false" -}}
    {{- if include "common.usesMedia" $workload -}}{{- $usesMedia = true -}}{{- end -}}
    {{- if not $workload.account -}}
      {{- $objects = append $objects (include "common.serviceaccount" $context) -}}
    {{- end -}}
    {{- if $workload.permissions -}}
      {{- $objects = append $objects (include "common.clusterrole" $context) -}}
    {{- end -}}
    {{- range $volume, $spec := $workload.volumes -}}
      {{- with $spec.claim -}}
        {{- $objects = append $objects (include "common.persistentvolumeclaim" (merge (dict "volume" (include "common.claimName" (dict "name" $name "volume" $volume)) "claim" .) $context)) -}}
      {{- end -}}
    {{- end -}}
    {{- $objects = append $objects (include (printf "common.%s" (lower $workload.kind)) $context) -}}
    {{- $objects = append $objects (include "common.service" $context) -}}
    {{- $objects = append $objects (include "common.service.lan" $context) -}}
    {{- if $workload.ingress -}}
      {{- $objects = append $objects (include "common.ingress" $context) -}}
    {{- end -}}
    {{- if or $workload.network (not $workload.plain) -}}
      {{- $objects = append $objects (include "common.networkpolicy" $context) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if $copies.users -}}
  {{- $objects = append $objects (include "common.backup.shared" $copies) -}}
{{- end -}}
{{- if $usesMedia -}}
  {{- $media := .Values.common.global.media -}}
  {{- $claim := dict "size" $media.size "class" $media.storageClass "access" "ReadWriteMany" -}}
  {{- $objects = append $objects (include "common.persistentvolumeclaim" (dict "root" . "name" .Chart.Name "volume" "media" "claim" $claim)) -}}
{{- end -}}
{{- range compact $objects }}
---
{{ . }}
{{- end }}
{{- end -}}
