{{/* One Service for each workload, with every port of its containers that does not say `service: false`. */}}
{{- define "common.service" -}}
{{- include "common.containers" . -}}
{{- $service := .workload.service | default dict -}}
{{- $ports := dict -}}
{{- $containers := merge (dict) .containers -}}
{{- range $container, $spec := .workload.init -}}
  {{- if $spec.sidecar -}}{{- $_ := set $containers $container $spec -}}{{- end -}}
{{- end -}}
{{- range $container, $spec := $containers -}}
  {{- range $port, $value := $spec.ports -}}
    {{- if hasKey $ports $port -}}
      {{- fail (printf "\n\nchart %s: workloads.%s: two containers have a port named %q; accepted: one port for each name\n" $.root.Chart.Name $.name $port) -}}
    {{- end -}}
    {{- $long := include "common.port" $value | fromYaml -}}
    {{- if ne (toString $long.service) "false" -}}
      {{- $_ := set $ports $port $long -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if $ports -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
  {{- with $service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ $service.type | default "ClusterIP" }}
  {{- with $service.loadBalancerIP }}
  loadBalancerIP: {{ . }}
  {{- end }}
  {{- with $service.externalTrafficPolicy }}
  externalTrafficPolicy: {{ . }}
  {{- end }}
  {{- if $service.headless }}
  clusterIP: None
  {{- end }}
  selector:
    {{- include "common.selector" . | nindent 4 }}
  ports:
    {{- range $port, $long := $ports }}
    - name: {{ $port }}
      port: {{ $long.servicePort | default $long.port }}
      targetPort: {{ $port }}
      protocol: {{ $long.protocol }}
    {{- end }}
{{- end -}}
{{- end -}}
