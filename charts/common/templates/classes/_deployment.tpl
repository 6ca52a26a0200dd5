{{- define "common.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
spec:
  replicas: {{ .workload.replicas }}
  revisionHistoryLimit: 3
  strategy:
    {{- if include "common.keepsData" .workload }}
    {{- /* Data has one user: the old version ends before the new one migrates it, or mounts a node's volume. */}}
    type: Recreate
    {{- else }}
    type: RollingUpdate
    {{- /*
    The API server's defaults, written out: server-side apply removes only fields that it owns, and a Deployment that
    gets its first volume would keep this block next to Recreate, which is rejected.
    https://github.com/kubernetes/kubernetes/issues/24198
    */}}
    rollingUpdate:
      maxSurge: 25%
      maxUnavailable: 25%
    {{- end }}
  selector:
    matchLabels:
      {{- include "common.selector" . | nindent 6 }}
  template:
    {{- include "common.podTemplate" . | nindent 4 }}
{{- end -}}
