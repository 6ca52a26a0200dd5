#!/bin/sh
# Writes an endpoint of Gatus for each host of each Ingress, as gatus-sidecar --auto-ingress --output=FILE does: without
# those with the annotation enabled "false", and with the path and the conditions of the annotation endpoint.
set -eu
for argument in "$@"; do
    case $argument in
        --auto-ingress) ;;
        --output=*) output=${argument#--output=} ;;
        *) echo "the stand-in for gatus-sidecar does not know $argument" >&2; exit 2 ;;
    esac
done

# One line per host: namespace, name, host, annotations.
template='{{range .items}}{{$of := .metadata}}{{range .spec.rules}}{{$of.namespace}} {{$of.name}} {{.host}} '
template=$template'{{with $of.annotations}}{{index . "gatus.home-operations.com/enabled"}} '
template=$template'{{index . "gatus.home-operations.com/endpoint"}}{{end}}{{"\n"}}{{end}}{{end}}'

endpoints() {
    while read -r namespace name host enabled endpoint; do
        [ "$enabled" != false ] || continue
        path=$(echo "$endpoint" | sed -n 's/.*"path":"\([^"]*\)".*/\1/p')
        conditions=$(echo "$endpoint" | sed -n 's/.*"conditions":\(\[".*"\]\).*/\1/p')
        printf '  - { name: %s, group: %s, url: "https://%s%s", interval: 1m, conditions: %s }\n' \
            "$name" "$namespace" "$host" "$path" "${conditions:-[\"[STATUS] == 200\"]}"
    done
}

while true; do
    if ingresses=$(kubectl get ingresses --all-namespaces --output=go-template="$template") && [ -n "$ingresses" ]; then
        { echo endpoints:; echo "$ingresses" | endpoints; } > "$output.new"
        cmp -s "$output.new" "$output" || mv "$output.new" "$output"
    fi
    sleep 10 &
    wait $!
done
