{{/* "true" where a workload has its own data: in a claim, or in the home's database. */}}
{{- define "common.keepsData" -}}
{{- $found := false -}}
{{- range .volumes -}}
  {{- if or (hasKey . "claim") (hasKey . "claimOf") -}}{{- $found = true -}}{{- end -}}
{{- end -}}
{{- range (.network | default dict).to -}}
  {{- if eq (.namespace | default "") "database" -}}{{- $found = true -}}{{- end -}}
{{- end -}}
{{- if $found -}}true{{- end -}}
{{- end -}}

{{/*
A claim outlives its chart: neither Helm nor Argo CD deletes it, unless `keep: false` is set.
Takes (root, name, volume, claim) and (workload) where it belongs to one.
*/}}
{{- define "common.persistentvolumeclaim" -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .volume }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
  {{- if ne (toString .claim.keep) "false" }}
  annotations:
    argocd.argoproj.io/sync-options: Prune=false,Delete=false
    # A kept claim does not make the Application OutOfSync.
    argocd.argoproj.io/compare-options: IgnoreExtraneous
    helm.sh/resource-policy: keep
  {{- end }}
spec:
  accessModes:
    - {{ .claim.access | default "ReadWriteOnce" }}
  storageClassName: {{ .claim.class | default .root.Values.common.global.claimClass }}
  volumeMode: Filesystem
  resources:
    requests:
      storage: {{ .claim.size }}
{{- end -}}
