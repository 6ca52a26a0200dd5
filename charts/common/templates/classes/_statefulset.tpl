{{/*
Its claims are separate objects, not volumeClaimTemplates, which are immutable: a commit can change a claim's size.
*/}}
{{- define "common.statefulset" -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
  {{- if include "common.onEdge" . }}
  annotations:
    {{- /* A lost edge only closes access from outside: the Application stays Healthy, and TunnelDown fires. */}}
    argocd.argoproj.io/ignore-healthcheck: "true"
  {{- end }}
spec:
  replicas: {{ .workload.replicas }}
  revisionHistoryLimit: 3
  serviceName: {{ .name }}
  selector:
    matchLabels:
      {{- include "common.selector" . | nindent 6 }}
  template:
    {{- include "common.podTemplate" . | nindent 4 }}
{{- end -}}
