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
    {{- if include "common.ownCertificate" .root }}
    cert-manager.io/cluster-issuer: {{ $global.clusterIssuer }}
    {{- end }}
    {{- with $ingress.link }}
    hearth/title: {{ .title | quote }}
    hearth/group: {{ .group | quote }}
    {{- end }}
    {{- /* Gatus checks the Ingress: the health endpoint if it is on the same port. */}}
    {{- $health := .workload.health | default dict }}
    {{- $same := eq ($health.port | default "http" | toString) ($ingress.port | default "http") }}
    {{- $check := dict "path" (and $same $health.path | default "/") "conditions" (list "[STATUS] < 400") }}
    gatus.home-operations.com/endpoint: {{ toRawJson $check | squote }}
    {{- if $ingress.public }}
    {{- /* charts/pangolin/config/publisher creates a resource from it. */}}
    {{- $port := get (include "common.servicePorts" . | fromYaml) ($ingress.port | default "http") }}
    hearth/public: {{ $ingress.login | default "pangolin" }}
    hearth/public-target: {{ printf "%s.%s.svc.cluster.local:%v" .name .root.Release.Namespace ($port.servicePort | default $port.port) }}
    {{- end }}
    {{- with $ingress.annotations }}
    {{- include "common.template" (dict "root" $.root "text" (toYaml .)) | nindent 4 }}
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
      {{- if include "common.ownCertificate" .root }}
      secretName: {{ .name }}-tls
      {{- end }}
{{- end -}}
