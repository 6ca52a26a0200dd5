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
    {{- /* A volume of a node has one user: the old pod has to go first. */}}
    type: {{ if include "common.hasClaim" .workload }}Recreate{{ else }}RollingUpdate{{ end }}
  selector:
    matchLabels:
      {{- include "common.selector" . | nindent 6 }}
  template:
    {{- include "common.podTemplate" . | nindent 4 }}
{{- end -}}
