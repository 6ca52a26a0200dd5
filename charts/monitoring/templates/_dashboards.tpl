{{/*
Converts config/dashboards to Grafana's format. A panel there is its title, type and queries; its position is computed here, with panels of the same width next to each other, 24 columns to a row. Takes the root; returns file contents by name.
*/}}
{{- define "monitoring.dashboards" -}}
{{- $files := dict -}}
{{- range $path, $content := .Files.Glob "config/dashboards/*.yaml" -}}
  {{- $name := base $path | trimSuffix ".yaml" -}}
  {{- $source := include "monitoring.yaml" (dict "path" $path "content" $content) | fromYaml -}}
  {{- $x := 0 -}}{{- $y := 0 -}}{{- $line := 0 -}}
  {{- $panels := list -}}
  {{- range $index, $panel := $source.panels -}}
    {{- $type := $panel.type | default "timeseries" -}}
    {{- $kind := $panel.store | default (eq $type "logs" | ternary "loki" "prometheus") -}}
    {{- if and (eq $kind "loki") (eq (toString $.Values.workloads.loki.enabled) "false") -}}
      {{- continue -}}
    {{- end -}}
    {{- $width := $panel.width | default (eq $type "stat" | ternary 6 12) | int -}}
    {{- $height := $panel.height | default (eq $type "stat" | ternary 4 8) | int -}}
    {{- if gt (add $x $width) 24 -}}
      {{- $x = 0 -}}{{- $y = add $y $line -}}{{- $line = 0 -}}
    {{- end -}}
    {{- $store := dict "type" $kind "uid" $kind -}}
    {{- $targets := list -}}
    {{- range $number, $query := $panel.queries -}}
      {{- $target := dict "refId" (substr $number (add1 $number | int) "ABCDEFGH") "datasource" $store "expr" $query.expr "legendFormat" ($query.legend | default "") -}}
      {{- if eq $type "table" -}}
        {{- $_ := merge $target (dict "instant" true "format" "table") -}}
      {{- end -}}
      {{- $targets = append $targets $target -}}
    {{- end -}}
    {{- $defaults := dict "unit" ($panel.unit | default "short") "min" 0 -}}
    {{- with $panel.red -}}
      {{- /* From this value on. */ -}}
      {{- $_ := set $defaults "thresholds" (dict "mode" "absolute" "steps" (list (dict "color" "green" "value" nil) (dict "color" "red" "value" .))) -}}
    {{- end -}}
    {{- $result := dict
      "id" (add1 $index) "title" $panel.title "type" $type "datasource" $store "targets" $targets
      "description" ($panel.description | default "")
      "gridPos" (dict "x" $x "y" $y "w" $width "h" $height)
      "fieldConfig" (dict "defaults" $defaults "overrides" list)
      "options" dict
    -}}
    {{- if and (eq $type "table") (gt (len $panel.queries) 1) -}}
      {{- /* One row for all queries, with a column for each, named by its legend. */ -}}
      {{- $columns := dict -}}
      {{- range $target := $targets -}}
        {{- $_ := set $columns (printf "Value #%s" $target.refId) $target.legendFormat -}}
      {{- end -}}
      {{- $_ := set $result "transformations" (list
        (dict "id" "merge" "options" dict)
        (dict "id" "organize" "options" (dict "excludeByName" (dict "Time" true) "renameByName" $columns))
      ) -}}
    {{- end -}}
    {{- $panels = append $panels $result -}}
    {{- $x = add $x $width -}}
    {{- $line = max $line $height -}}
  {{- end -}}
  {{- $dashboard := dict
    "uid" $name "title" $source.title "tags" (list "hearth") "schemaVersion" 41 "version" 1 "editable" false
    "timezone" "browser" "refresh" "1m" "time" (dict "from" "now-6h" "to" "now")
    "templating" (dict "list" list) "annotations" (dict "list" list) "links" list "panels" $panels
  -}}
  {{- $_ := set $files (printf "%s.json" $name) (toRawJson $dashboard) -}}
{{- end -}}
{{- toYaml $files -}}
{{- end -}}
