{{/* One container. Takes (root, name: the workload's, workload, container: its name, spec, init: whether it ends). */}}
{{- define "common.container" -}}
{{- $root := .root -}}
{{- $container := .container -}}
{{- $security := deepCopy $root.Values.common.container.securityContext -}}
{{- include "common.merge" (dict "into" $security "from" (.spec.securityContext | default dict)) -}}
{{- if not (or $security.capabilities.drop $security.capabilities.add) -}}
  {{- /* The API server drops an empty list, which would make the Application OutOfSync. */ -}}
  {{- $_ := unset $security "capabilities" -}}
{{- end -}}
name: {{ $container }}
image: {{ include "common.image" .spec.image }}
imagePullPolicy: IfNotPresent
{{- with .spec.command }}
command:
  {{- range . }}
  - {{ include "common.template" (dict "root" $root "text" .) | quote }}
  {{- end }}
{{- end }}
{{- with .spec.args }}
args:
  {{- range . }}
  - {{ include "common.template" (dict "root" $root "text" .) | quote }}
  {{- end }}
{{- end }}
{{- with .spec.workingDir }}
workingDir: {{ . }}
{{- end }}
{{- if .spec.sidecar }}
restartPolicy: Always
{{- end }}
env:
  {{- include "common.env" (dict "root" $root "env" (.spec.env | default dict)) | trim | nindent 2 }}
{{- with .spec.ports }}
ports:
  {{- range $port, $value := . }}
  {{- $spec := include "common.port" $value | fromYaml }}
  - name: {{ $port }}
    containerPort: {{ $spec.port }}
    protocol: {{ $spec.protocol }}
    {{- /* In the node's network, the API server fills it in, which would make the Application OutOfSync. */}}
    {{- with $spec.hostPort | default (empty $.workload.hostNetwork | ternary 0 $spec.port) }}
    hostPort: {{ . }}
    {{- end }}
  {{- end }}
{{- end }}
{{- with .spec.health }}
{{- include "common.probes" . | nindent 0 }}
{{- end }}
{{- with .spec.lifecycle }}
lifecycle:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml .spec.resources | nindent 2 }}
securityContext:
  {{- toYaml $security | nindent 2 }}
{{- with include "common.mounts" (merge (dict "writable" (not $security.readOnlyRootFilesystem)) .) }}
volumeMounts:
  {{- . | trim | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
A string of the values, rendered as a template. A template of the application is rejected: Helm would render it as nothing.
components/chart-values.ts has the same rule. Takes (root, text).
*/}}
{{- define "common.template" -}}
{{- $root := .root -}}
{{- $own := regexReplaceAll "\\{\\{-?\\s*(`[^`]*`|\"[^\"]*\")\\s*-?\\}\\}" .text "" -}}
{{- if not (regexMatch "\\{\\{-?\\s*(range|with|define)\\b|:=" $own) -}}
  {{- range regexFindAll "(?s)\\{\\{.*?(\\}\\}|$)" $own -1 -}}
    {{- $rest := trimPrefix "{{" . | trimSuffix "}}" -}}
    {{- $rest = regexReplaceAll "\"(\\\\.|[^\"\\\\])*\"|`[^`]*`|\\.(Values|Release|Chart|Capabilities|Template|Files|Subcharts)\\b[\\w.]*" $rest "\"\"" -}}
    {{- if or (not (hasSuffix "}}" .)) (not (regexMatch "\"\"|^-?\\s*(/\\*|(if|else|end|template|block)\\b)" $rest)) (regexMatch "(^|[\\s(|,$])\\.[A-Za-z_]|[$]\\w|'" $rest) -}}
      {{- fail (printf "\n\nchart %s: %s is not a Helm template; for the application, write {{ `%s` }}\n" $root.Chart.Name . .) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- tpl .text $root -}}
{{- end -}}

{{/* repository:tag; Renovate writes the digest into the tag. */}}
{{- define "common.image" -}}
{{ .repository }}:{{ .tag }}
{{- end -}}

{{/* A port's short form (a number) as its long one. */}}
{{- define "common.port" -}}
{{- $spec := kindIs "map" . | ternary . (dict "port" .) -}}
{{- toYaml (merge (deepCopy $spec) (dict "protocol" "TCP")) -}}
{{- end -}}

{{/* Environment variables: a string (a template), a key of the chart's Secret, or a field of the pod. Takes (root, env). */}}
{{- define "common.env" -}}
{{- $root := .root -}}
{{- range $variable, $value := merge (dict) .env (dict "TZ" $root.Values.common.global.timezone) }}
- name: {{ $variable }}
  {{- if kindIs "float64" $value }}
  {{- /* Helm parses integers as floats, and prints large ones with an exponent. */}}
  value: {{ printf "%.0f" $value | quote }}
  {{- else if not (kindIs "map" $value) }}
  value: {{ include "common.template" (dict "root" $root "text" (toString $value)) | quote }}
  {{- else if $value.secret }}
  valueFrom:
    secretKeyRef:
      name: {{ include "common.secretName" $root }}
      key: {{ $value.secret }}
  {{- else }}
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: {{ $value.field }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The three probes, all from one `health`. */}}
{{- define "common.probes" -}}
{{- $health := . -}}
{{- $startup := int ($health.startup | default 60) -}}
{{- $probe := include "common.probe" $health -}}
startupProbe:
  {{- $probe | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: {{ $health.timeout | default 5 }}
  failureThreshold: {{ max 1 (div $startup 5) }}
livenessProbe:
  {{- $probe | nindent 2 }}
  periodSeconds: 30
  timeoutSeconds: {{ $health.timeout | default 5 }}
  failureThreshold: 3
readinessProbe:
  {{- if $health.readyPath }}
  {{- include "common.probe" (merge (dict "path" $health.readyPath) (omit $health "path")) | nindent 2 }}
  {{- else }}
  {{- $probe | nindent 2 }}
  {{- end }}
  periodSeconds: 10
  timeoutSeconds: {{ $health.timeout | default 5 }}
  failureThreshold: 3
{{- end -}}

{{- define "common.probe" -}}
{{- if .command -}}
exec:
  command:
    {{- toYaml .command | nindent 4 }}
{{- else if .path -}}
httpGet:
  path: {{ .path }}
  port: {{ .port | default "http" }}
  scheme: {{ .scheme | default "HTTP" }}
  {{- with .host }}
  httpHeaders:
    - name: Host
      value: {{ . }}
  {{- end }}
{{- else -}}
tcpSocket:
  port: {{ .port | default "http" }}
{{- end -}}
{{- end -}}
