{{- define "common.ingress" -}}
{{- $global := .root.Values.common.global -}}
{{- $ingress := .workload.ingress -}}
{{- $host := printf "%s.%s" $ingress.host $global.domain -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
  annotations:
    cert-manager.io/cluster-issuer: {{ $global.clusterIssuer }}
    {{- with $ingress.link }}
    hearth/title: {{ .title | quote }}
    hearth/icon: {{ .icon | quote }}
    hearth/group: {{ .group | quote }}
    {{- end }}
    {{- /* Gatus checks the health endpoint through the Ingress. */}}
    {{- $health := .workload.health | default dict }}
    gatus.home-operations.com/endpoint: {{ dict "path" ($health.path | default "/") "conditions" (list "[STATUS] < 400") | toJson | quote }}
    {{- with $ingress.annotations }}
    {{- tpl (toYaml .) $.root | nindent 4 }}
    {{- end }}
spec:
  ingressClassName: {{ $global.ingressClass }}
  rules:
    - host: {{ $host }}
      http:
        paths:
          - path: {{ $ingress.path | default "/" }}
            pathType: Prefix
            backend:
              service:
                name: {{ .name }}
                port:
                  name: {{ $ingress.port | default "http" }}
  tls:
    - hosts:
        - {{ $host }}
      secretName: {{ .name }}-tls
{{- end -}}
