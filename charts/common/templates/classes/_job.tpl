{{/* Fields that a Job and a CronJob share. */}}
{{- define "common.jobSpec" -}}
backoffLimit: {{ .workload.backoffLimit | default 6 }}
template:
  {{- include "common.podTemplate" . | nindent 2 }}
{{- end -}}

{{/*
A Job cannot be changed. Its name ends in a checksum of its spec, so a change creates a new Job, and the old one is pruned. Jobs must therefore be idempotent.
*/}}
{{- define "common.job" -}}
{{- $spec := include "common.jobSpec" . -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .name }}-{{ $spec | sha256sum | trunc 8 }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
spec:
  {{- $spec | nindent 2 }}
{{- end -}}
