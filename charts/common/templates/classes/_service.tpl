{{/*
Every port of a workload's containers without `service: false`, by name, in its long form.
Takes (root, name, workload).
*/}}
{{- define "common.servicePorts" -}}
{{- include "common.containers" . -}}
{{- $containers := merge (dict) .containers -}}
{{- range $container, $spec := .workload.init -}}
  {{- if $spec.sidecar -}}{{- $_ := set $containers $container $spec -}}{{- end -}}
{{- end -}}
{{- $ports := dict -}}
{{- range $container, $spec := $containers -}}
  {{- range $port, $value := $spec.ports -}}
    {{- if hasKey $ports $port -}}
      {{- fail (printf "\n\nchart %s: workloads.%s: two containers have a port named %q: give each port a name of its own\n" $.root.Chart.Name $.name $port) -}}
    {{- end -}}
    {{- $long := include "common.port" $value | fromYaml -}}
    {{- if ne (toString $long.service) "false" -}}
      {{- $_ := set $ports $port $long -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- toYaml $ports -}}
{{- end -}}

{{/* The Service of a workload, for the cluster and for its Ingress. */}}
{{- define "common.service" -}}
{{- $ports := include "common.servicePorts" . | fromYaml -}}
{{- if $ports -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  {{- include "common.service.ports" (dict "ports" $ports "context" .) | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* A second Service for ports with `lan: true`, at an address of the home's network. */}}
{{- define "common.service.lan" -}}
{{- $ports := dict -}}
{{- $onEdge := include "common.onEdge" . -}}
{{- range $port, $value := include "common.servicePorts" . | fromYaml -}}
  {{- if and $value.lan (not $onEdge) -}}{{- $_ := set $ports $port $value -}}{{- end -}}
{{- end -}}
{{- if $ports -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}-lan
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
  {{- with include "common.template" (dict "root" .root "text" (.workload.address | default "")) }}
  annotations:
    metallb.io/loadBalancerIPs: {{ . }}
  {{- end }}
spec:
  type: LoadBalancer
  # The program sees the client's own address.
  externalTrafficPolicy: Local
  {{- include "common.service.ports" (dict "ports" $ports "context" .) | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "common.service.ports" -}}
selector:
  {{- include "common.selector" .context | nindent 2 }}
ports:
  {{- range $port, $value := .ports }}
  - name: {{ $port }}
    port: {{ $value.servicePort | default $value.port }}
    targetPort: {{ $port }}
    protocol: {{ $value.protocol }}
  {{- end }}
{{- end -}}
