{{/*
Merges the dict `from` into the dict `into`, in place; dicts are merged, anything else is replaced. Sprig's own merge
functions keep a `true` that should become `false`.
*/}}
{{- define "common.merge" -}}
{{- $into := .into -}}
{{- range $key, $value := .from -}}
  {{- if and (kindIs "map" $value) (kindIs "map" (get $into $key)) -}}
    {{- include "common.merge" (dict "into" (get $into $key) "from" $value) -}}
  {{- else if kindIs "map" $value -}}
    {{- $_ := set $into $key (deepCopy $value) -}}
  {{- else -}}
    {{- $_ := set $into $key $value -}}
  {{- end -}}
{{- end -}}
{{- end -}}
