{{/* Contents of a YAML file of the chart, validated: fromYaml itself reports no error. */}}
{{- define "monitoring.yaml" -}}
{{- with (fromYaml (toString .content)).Error -}}
  {{- fail (printf "\n\nchart monitoring: %s is not valid YAML: %s\n" $.path .) -}}
{{- end -}}
{{- toString .content -}}
{{- end -}}

{{/*
The files of config/rules with the values' overrides for each alert, and its runbook URL as an annotation and at the end of the description, which phones show. Takes the root; returns file contents by name.
*/}}
{{- define "monitoring.rules" -}}
{{- $root := . -}}
{{- $runbooks := tpl .Values.alerts.runbooks . -}}
{{- $known := list -}}
{{- $files := dict -}}
{{- range $path, $content := .Files.Glob "config/rules/*.yaml" -}}
  {{- $groups := list -}}
  {{- range $group := (include "monitoring.yaml" (dict "path" $path "content" $content) | fromYaml).groups -}}
    {{- $rules := list -}}
    {{- range $rule := $group.rules -}}
      {{- $own := dict -}}
      {{- with $rule.alert -}}
        {{- $known = append $known . -}}
        {{- $own = get $root.Values.alerts.rules . | default dict -}}
        {{- $runbook := printf "%s/%s.md" $runbooks . -}}
        {{- $_ := set $rule.annotations "runbook_url" $runbook -}}
        {{- $_ := set $rule.annotations "description" (printf "%s\n%s" $rule.annotations.description $runbook) -}}
        {{- with $own.for -}}{{- $_ := set $rule "for" . -}}{{- end -}}
        {{- with $own.severity -}}{{- $_ := set $rule.labels "severity" . -}}{{- end -}}
      {{- end -}}
      {{- if ne (toString $own.enabled) "false" -}}{{- $rules = append $rules $rule -}}{{- end -}}
    {{- end -}}
    {{- $groups = append $groups (dict "name" $group.name "rules" $rules) -}}
  {{- end -}}
  {{- $_ := set $files (base $path) (toYaml (dict "groups" $groups)) -}}
{{- end -}}
{{- range $alert, $_ := .Values.alerts.rules -}}
  {{- if not (has $alert $known) -}}
    {{- fail (printf "\n\nchart monitoring: unknown alerts.rules.%s: expected one of %s\n" $alert (join ", " (sortAlpha $known))) -}}
  {{- end -}}
{{- end -}}
{{- toYaml $files -}}
{{- end -}}
