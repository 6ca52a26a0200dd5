{{/* Default deny: no ingress and no egress for the chart's pods. */}}
{{- define "common.networkpolicy.closed" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: closed
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "common.labels" (dict "root" . "name" .Chart.Name) | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/part-of: {{ .Chart.Name }}
  policyTypes:
    - Ingress
    - Egress
{{- end -}}

{{/*
Connections of one workload: ingress besides that of the ingress controller, Prometheus and the home's network, where it is
declared, and egress besides the cluster's DNS.
*/}}
{{- define "common.networkpolicy" -}}
{{- $root := .root -}}
{{- $network := .workload.network | default dict -}}
{{- $from := $network.from | default list -}}
{{- with .workload.ingress -}}
  {{- $ports := list (.port | default "http") -}}
  {{- $from = append $from (dict "namespace" "kube-system" "workload" "traefik" "ports" $ports) -}}
  {{- if .public -}}
    {{- $from = append $from (dict "namespace" "pangolin" "workload" "gerbil" "ports" $ports) -}}
  {{- end -}}
{{- end -}}
{{- with .workload.metrics -}}
  {{- $ports := append (include "common.metricsPorts" $ | splitList " ") (toString .port) | compact | uniq -}}
  {{- $from = append $from (dict "namespace" "monitoring" "ports" $ports) -}}
{{- end -}}
{{- $lan := list -}}
{{- range $port, $value := include "common.servicePorts" . | fromYaml -}}
  {{- if $value.lan -}}{{- $lan = append $lan (printf "%s/%s" $port $value.protocol) -}}{{- end -}}
{{- end -}}
{{- with $lan -}}
  {{- $from = append $from (dict "anywhere" true "ports" .) -}}
{{- end -}}
{{- $to := $network.to | default list -}}
{{- if not .workload.nameservers -}}
  {{- $to = append $to (dict "namespace" "kube-system" "labels" (dict "k8s-app" "kube-dns") "ports" (list "53/UDP" 53)) -}}
{{- end -}}
{{- if or $from $to -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "common.selector" . | nindent 6 }}
  policyTypes:
    {{- if $from }}
    - Ingress
    {{- end }}
    {{- if $to }}
    - Egress
    {{- end }}
  {{- with $from }}
  ingress:
    {{- range . }}
    - from:
        {{- include "common.networkpolicy.peers" . | trim | nindent 8 }}
      {{- include "common.networkpolicy.ports" . | nindent 6 }}
    {{- end }}
  {{- end }}
  {{- with $to }}
  egress:
    {{- range . }}
    - to:
        {{- include "common.networkpolicy.peers" . | trim | nindent 8 }}
      {{- include "common.networkpolicy.ports" . | nindent 6 }}
    {{- end }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* The numbers of a workload's ports that are called metrics, or something-metrics. Takes (root, name, workload). */}}
{{- define "common.metricsPorts" -}}
{{- include "common.containers" . -}}
{{- $ports := list -}}
{{- range $container, $spec := merge (dict) .containers (.workload.init | default dict) -}}
  {{- range $port, $value := $spec.ports -}}
    {{- if regexMatch "^(.+-)?metrics$" $port -}}
      {{- $ports = append $ports (toString (include "common.port" $value | fromYaml).port) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- join " " $ports -}}
{{- end -}}

{{/* One peer of `from` or `to` in Kubernetes' form. */}}
{{- define "common.networkpolicy.peers" -}}
{{- if .internet }}
- ipBlock:
    cidr: 0.0.0.0/0
    except:
      - 10.0.0.0/8
      - 100.64.0.0/10
      - 169.254.0.0/16
      - 172.16.0.0/12
      - 192.168.0.0/16
- ipBlock:
    cidr: ::/0
    except:
      - fc00::/7
      - fe80::/10
{{- end }}
{{- if .lan }}
- ipBlock:
    cidr: 10.0.0.0/8
- ipBlock:
    cidr: 172.16.0.0/12
- ipBlock:
    cidr: 192.168.0.0/16
- ipBlock:
    cidr: fc00::/7
{{- end }}
{{- with .cidr }}
- ipBlock:
    cidr: {{ . }}
{{- end }}
{{- if .anywhere }}
- ipBlock:
    cidr: 0.0.0.0/0
- ipBlock:
    cidr: ::/0
{{- end }}
{{- if .chart }}
- podSelector: {}
{{- end }}
{{- if .cluster }}
- namespaceSelector: {}
{{- end }}
{{- if .public }}
- namespaceSelector: {}
  podSelector:
    matchLabels:
      hearth/public: "true"
{{- end }}
{{- if or .namespace .workload }}
{{- with .namespace }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ . }}
  {{- with $.labels | default ($.workload | empty | ternary dict (dict "app.kubernetes.io/name" $.workload)) }}
  podSelector:
    matchLabels:
      {{- toYaml . | nindent 6 }}
  {{- end }}
{{- else }}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ .workload }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "common.networkpolicy.ports" -}}
{{- with .ports -}}
ports:
  {{- range . }}
  {{- $parts := splitList "/" (toString .) }}
  - port: {{ first $parts }}
    protocol: {{ eq (len $parts) 2 | ternary (last $parts) "TCP" }}
  {{- end }}
{{- end -}}
{{- end -}}
