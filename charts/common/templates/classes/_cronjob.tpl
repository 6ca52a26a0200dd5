{{- define "common.cronjob" -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
  {{- if .workload.plain }}
  {{- /* A failed copy raises an alert and does not make the Application Degraded: nothing waits for it. */}}
  annotations:
    argocd.argoproj.io/ignore-healthcheck: "true"
  {{- end }}
spec:
  {{- with .workload.suspend }}
  suspend: {{ . }}
  {{- end }}
  schedule: {{ .workload.schedule | quote }}
  timeZone: {{ .root.Values.common.global.timezone }}
  concurrencyPolicy: Forbid
  successfulJobsHistoryLimit: 1
  failedJobsHistoryLimit: 3
  jobTemplate:
    metadata:
      labels:
        {{- include "common.labels" . | nindent 8 }}
    spec:
      {{- include "common.jobSpec" . | nindent 6 }}
{{- end -}}
