#!/bin/sh
# Writes an endpoint of Gatus for each host of each Ingress, as gatus-sidecar --auto-ingress --output=FILE does.
set -eu
for argument in "$@"; do
    case $argument in
        --auto-ingress) ;;
        --output=*) output=${argument#--output=} ;;
        *) echo "the stand-in for gatus-sidecar does not know $argument" >&2; exit 2 ;;
    esac
done
template='{{range .items}}{{$name := .metadata.name}}{{$namespace := .metadata.namespace}}{{range .spec.rules}}- name: {{$name}}
  group: {{$namespace}}
  url: https://{{.host}}
  interval: 1m
  conditions: ["[STATUS] == 200"]
{{end}}{{end}}'
while true; do
    if endpoints=$(kubectl get ingresses --all-namespaces --output=go-template="$template"); then
        if [ -n "$endpoints" ]; then
            printf 'endpoints:\n%s\n' "$endpoints" > "$output.new"
            cmp -s "$output.new" "$output" || mv "$output.new" "$output"
        fi
    fi
    sleep 10 &
    wait $!
done
