{{/*
Checks the values against schema/values.schema.json (and the chart's own schema.json, which adds top-level keys), and fails with a sentence for every mistake. Helm applies a values.schema.json only to the chart that contains it, never to the charts that use a library, and its messages do not state the expected form.
*/}}

{{- define "common.validate" -}}
{{- $defs := (.Subcharts.common.Files.Get "schema/values.schema.json" | mustFromJson | dig "$defs" dict) -}}
{{- $schema := $defs.values -}}
{{- $_ := set $schema "additionalProperties" false -}}
{{- with .Files.Get "schema.json" -}}
  {{- $_ := set $schema "properties" (merge (mustFromJson .).properties $schema.properties) -}}
{{- end -}}
{{- $found := dict "mistakes" list -}}
{{- include "common.validate.value" (dict "schema" $schema "value" (omit .Values "common") "path" "" "defs" $defs "found" $found) -}}
{{- with $found.mistakes -}}
  {{- fail (printf "\n\nThe values of chart %s have %d mistake(s):\n%s\n" $.Chart.Name (len .) (join "\n" .)) -}}
{{- end -}}
{{- end -}}

{{/* Type of a value, in JSON Schema's terms. */}}
{{- define "common.validate.type" -}}
{{- if kindIs "map" . -}}object
{{- else if kindIs "slice" . -}}array
{{- else if kindIs "string" . -}}string
{{- else if kindIs "bool" . -}}boolean
{{- else if eq (toString (floor .)) (toString (float64 .)) -}}integer
{{- else -}}number
{{- end -}}
{{- end -}}

{{/* Values that a schema accepts, in words. */}}
{{- define "common.validate.expected" -}}
{{- $words := list -}}
{{- if .enum -}}
  {{- $words = append $words (printf "one of %s" (join ", " .enum)) -}}
{{- else if .type -}}
  {{- $words = append $words (kindIs "slice" .type | ternary (join " or " (.type | default list)) (toString .type)) -}}
{{- end -}}
{{- if and (hasKey . "minimum") (hasKey . "maximum") -}}
  {{- $words = append $words (printf "from %v to %v" .minimum .maximum) -}}
{{- else if hasKey . "minimum" -}}
  {{- $words = append $words (printf "of at least %v" .minimum) -}}
{{- end -}}
{{- with .description -}}
  {{- $words = append $words (printf "(%s)" (trimSuffix "." .)) -}}
{{- end -}}
{{- join " " $words -}}
{{- end -}}

{{/* The known keys within one typing error of a key: one letter inserted, missing, replaced, or two swapped. */}}
{{- define "common.validate.meant" -}}
{{- $slips := include "common.validate.slips" .key | splitList " " -}}
{{- $meant := list -}}
{{- range $known := .known -}}
  {{- range include "common.validate.slips" $known | splitList " " -}}
    {{- if has . $slips -}}{{- $meant = append $meant $known -}}{{- end -}}
  {{- end -}}
{{- end -}}
{{- with uniq $meant }}did you mean {{ join " or " . }}? {{ end -}}
{{- end -}}

{{/* A word, and the word without each of its letters. */}}
{{- define "common.validate.slips" -}}
{{- $word := . -}}
{{- $slips := list $word -}}
{{- range $index := until (len $word) -}}
  {{- $slips = append $slips (printf "%s%s" (substr 0 $index $word) (substr (add1 $index | int) (len $word) $word)) -}}
{{- end -}}
{{- join " " $slips -}}
{{- end -}}

{{- define "common.validate.report" -}}
{{- $_ := set .found "mistakes" (append .found.mistakes (printf "  - %s %s: %s" (.kind | default "invalid") (.path | default "(top level)") .message)) -}}
{{- end -}}

{{- define "common.validate.value" -}}
{{- $schema := .schema -}}
{{- $defs := .defs -}}
{{- $found := .found -}}
{{- $path := .path -}}
{{- $value := .value -}}
{{- with index $schema "$ref" -}}
  {{- $own := omit $schema "$ref" -}}
  {{- $schema = merge $own (index $defs (trimPrefix "#/$defs/" .)) -}}
{{- end -}}
{{- /* An editor would check a keyword that is unknown here, but Helm would not. */ -}}
{{- $keywords := list "$defs" "$schema" "additionalProperties" "description" "enum" "items" "maximum" "minimum" "pattern" "properties" "propertyNames" "required" "title" "type" "unevaluatedProperties" -}}
{{- range $keyword := keys $schema | sortAlpha -}}
  {{- if not (has $keyword $keywords) -}}
    {{- fail (printf "\n\nThe schema of %s has the keyword %s, which charts/common/templates/lib/_validate.tpl does not check: use one of %s, or check it there.\n" ($path | default "(top level)") $keyword (join ", " $keywords)) -}}
  {{- end -}}
{{- end -}}
{{- $expected := include "common.validate.expected" $schema -}}
{{- if not (kindIs "invalid" $value) -}}
  {{- $type := include "common.validate.type" $value -}}
  {{- $types := $schema.type | default $type -}}
  {{- if not (kindIs "slice" $types) -}}{{- $types = list $types -}}{{- end -}}
  {{- if not (or (has $type $types) (and (eq $type "integer") (has "number" $types))) -}}
    {{- include "common.validate.report" (dict "found" $found "path" $path "message" (printf "got the %s %s, expected %s" $type (toJson $value) $expected)) -}}
  {{- else if and $schema.enum (not (has $value $schema.enum)) -}}
    {{- include "common.validate.report" (dict "found" $found "path" $path "message" (printf "got %s, expected %s" (toJson $value) $expected)) -}}
  {{- else if and $schema.pattern (eq $type "string") (not (regexMatch $schema.pattern $value)) -}}
    {{- include "common.validate.report" (dict "found" $found "path" $path "message" (printf "got %s, expected %s" (toJson $value) $expected)) -}}
  {{- else if and (has $type (list "integer" "number")) (or (and (hasKey $schema "minimum") (lt (float64 $value) (float64 $schema.minimum))) (and (hasKey $schema "maximum") (gt (float64 $value) (float64 $schema.maximum)))) -}}
    {{- include "common.validate.report" (dict "found" $found "path" $path "message" (printf "got %s, expected %s" (toJson $value) $expected)) -}}
  {{- else if eq $type "array" -}}
    {{- range $index, $item := $value -}}
      {{- include "common.validate.value" (dict "schema" ($schema.items | default dict) "value" $item "path" (printf "%s[%d]" $path $index) "defs" $defs "found" $found) -}}
    {{- end -}}
  {{- else if eq $type "object" -}}
    {{- $properties := $schema.properties | default dict -}}
    {{- range $key := $schema.required | default list -}}
      {{- if kindIs "invalid" (get $value $key | default nil) -}}
        {{- $missing := get $properties $key | default dict -}}
        {{- with index $missing "$ref" -}}
          {{- $missing = merge (omit $missing "$ref") (index $defs (trimPrefix "#/$defs/" .)) -}}
        {{- end -}}
        {{- if not (hasKey $value $key) -}}
          {{- include "common.validate.report" (dict "found" $found "path" (printf "%s.%s" $path $key | trimPrefix ".") "kind" "missing" "message" (printf "expected %s" (include "common.validate.expected" $missing))) -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
    {{- range $key, $item := $value -}}
      {{- $at := printf "%s.%s" $path $key | trimPrefix "." -}}
      {{- if and $schema.propertyNames (not (regexMatch $schema.propertyNames.pattern $key)) -}}
        {{- include "common.validate.report" (dict "found" $found "path" $at "message" (printf "got this name, expected %s" $schema.propertyNames.description)) -}}
      {{- else if hasKey $properties $key -}}
        {{- include "common.validate.value" (dict "schema" (get $properties $key) "value" $item "path" $at "defs" $defs "found" $found) -}}
      {{- else if kindIs "map" $schema.additionalProperties -}}
        {{- include "common.validate.value" (dict "schema" $schema.additionalProperties "value" $item "path" $at "defs" $defs "found" $found) -}}
      {{- else if eq (toString $schema.additionalProperties) "false" -}}
        {{- include "common.validate.report" (dict "found" $found "path" $at "kind" "unknown" "message" (printf "%sexpected one of %s" (include "common.validate.meant" (dict "key" $key "known" (keys $properties | sortAlpha))) (join ", " (keys $properties | sortAlpha)))) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}
