{{/*
The data of one of `configs`: strings from the values, and files of the chart. With `template: true`, both are templates.
Takes (root, name).
*/}}
{{- define "common.configData" -}}
{{- $root := .root -}}
{{- $config := get .root.Values.configs .name -}}
{{- $data := deepCopy ($config.data | default dict) -}}
{{- with $config.files -}}
  {{- range $path, $content := $root.Files.Glob . -}}
    {{- $_ := set $data (base $path) (toString $content) -}}
  {{- end -}}
{{- end -}}
{{- if not $data -}}
  {{- fail (printf "\n\nchart %s: configs.%s is empty: set data, or files that match a path in the chart\n" $root.Chart.Name .name) -}}
{{- end -}}
{{- range $file, $content := $data }}
{{ $file }}: |
  {{- if $config.template }}
    {{- $content = include "common.template" (dict "root" $root "text" $content) }}
  {{- end }}
  {{- $content | trimSuffix "\n" | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "common.configmap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
data:
  {{- include "common.configData" . | trim | nindent 2 }}
{{- end -}}
