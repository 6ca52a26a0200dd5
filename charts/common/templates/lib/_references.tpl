{{/*
Checks references in a workload to other parts of its chart: ports, volumes, containers, workloads and secrets. Kubernetes accepts most invalid ones, and then the pod never starts, is never ready, or gets no connection.
Takes (root, name, workload).
*/}}
{{- define "common.workload.references" -}}
{{- $root := .root -}}
{{- $workload := .workload -}}
{{- $at := printf "chart %s: workloads.%s" $root.Chart.Name .name -}}
{{- include "common.containers" . -}}
{{- $containers := dict -}}
{{- range $name, $spec := merge (dict) .containers ($workload.init | default dict) -}}
  {{- $path := eq $name $.name | ternary $at (printf "%s.%s.%s" $at (hasKey ($workload.init | default dict) $name | ternary "init" "sidecars") $name) -}}
  {{- $_ := set $containers $name (dict "spec" $spec "at" $path) -}}
{{- end -}}
{{- $ports := include "common.references.ports" $containers | fromYaml -}}
{{- range $name, $container := $containers -}}
  {{- include "common.references.health" $container -}}
  {{- include "common.references.secrets" (merge (dict "root" $root) $container) -}}
  {{- include "common.references.resources" $container -}}
{{- end -}}
{{- with $workload.ingress -}}
  {{- include "common.references.expect" (dict "at" (printf "%s.ingress.port" $at) "name" (.port | default "http") "known" (keys $ports) "what" "a port of the workload") -}}
{{- end -}}
{{- with $workload.metrics -}}
  {{- include "common.references.expect" (dict "at" (printf "%s.metrics.port" $at) "name" (toString .port) "known" (values $ports) "what" "the number of a port of the workload") -}}
{{- end -}}
{{- range $volume, $spec := $workload.volumes -}}
  {{- include "common.references.expect" (dict "at" (printf "%s.volumes.%s.mounts" $at $volume) "names" (keys ($spec.mounts | default dict)) "known" (keys $containers) "what" "a container of the workload") -}}
  {{- with $spec.claimOf -}}
    {{- include "common.references.claim" (dict "root" $root "at" (printf "%s.volumes.%s.claimOf" $at $volume) "workload" .workload "volume" (.volume | default $volume)) -}}
  {{- end -}}
{{- end -}}
{{- range $side := list "from" "to" -}}
  {{- range $index, $peer := get ($workload.network | default dict) $side | default list -}}
    {{- include "common.references.peer" (dict "root" $root "at" (printf "%s.network.%s[%d]" $at $side $index) "peer" $peer "ports" (eq $side "from" | ternary $ports dict)) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* Fails unless a name (or each of several names) is known. Takes (at, name or names, known, what). */}}
{{- define "common.references.expect" -}}
{{- range .names | default (list .name) -}}
  {{- if and . (not (has . $.known)) -}}
    {{- fail (printf "\n\n%s is %q, expected %s: %s\n" $.at . $.what ($.known | uniq | sortAlpha | join ", " | default "none exists")) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* Numbers of all ports of a pod, by name: its containers share one network. Takes the containers. */}}
{{- define "common.references.ports" -}}
{{- $ports := dict -}}
{{- $numbers := dict -}}
{{- range $name, $container := . -}}
  {{- range $port, $value := $container.spec.ports -}}
    {{- $long := include "common.port" $value | fromYaml -}}
    {{- $number := printf "%v/%s" $long.port $long.protocol -}}
    {{- if hasKey $numbers $number -}}
      {{- fail (printf "\n\n%s.ports.%s is %s, as port %s is: give each port of a pod one name\n" $container.at $port $number (get $numbers $number)) -}}
    {{- end -}}
    {{- $_ := set $numbers $number $port -}}
    {{- $_ := set $ports $port (toString $long.port) -}}
  {{- end -}}
{{- end -}}
{{- toYaml $ports -}}
{{- end -}}

{{/* The port that a probe connects to. Takes (spec, at). */}}
{{- define "common.references.health" -}}
{{- $ports := .spec.ports -}}
{{- with .spec.health -}}
  {{- $port := .port | default "http" -}}
  {{- if and (not .command) (kindIs "string" $port) -}}
    {{- include "common.references.expect" (dict "at" (printf "%s.health.port" $.at) "name" $port "known" (keys ($ports | default dict)) "what" "a port of the container") -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* Keys of the chart's Secret, which the program fills with those of secrets.yaml. Takes (root, spec, at). */}}
{{- define "common.references.secrets" -}}
{{- $declared := .root.Files.Get "secrets.yaml" | fromYaml | dig "secrets" dict -}}
{{- range $variable, $value := .spec.env -}}
  {{- if kindIs "map" $value -}}
    {{- include "common.references.expect" (dict "at" (printf "%s.env.%s.secret" $.at $variable) "name" $value.secret "known" (keys $declared) "what" (printf "a key of charts/%s/secrets.yaml" $.root.Chart.Name)) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* The API server rejects a request above its limit. Takes (spec, at). */}}
{{- define "common.references.resources" -}}
{{- $resources := .spec.resources | default dict -}}
{{- $units := dict "Mi" 1 "Gi" 1024 "Ti" 1048576 -}}
{{- with dig "limits" "memory" "" $resources -}}
  {{- $limit := mul (regexFind "[0-9]+" . | int64) (get $units (regexFind "[A-Z]i" .)) -}}
  {{- with dig "requests" "memory" "" $resources -}}
    {{- if gt (mul (regexFind "[0-9]+" . | int64) (get $units (regexFind "[A-Z]i" .))) $limit -}}
      {{- fail (printf "\n\n%s.resources.requests.memory is %s, expected at most the limit, %s\n" $.at . $resources.limits.memory) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* A claim of another workload. Takes (root, at, workload, volume). */}}
{{- define "common.references.claim" -}}
{{- include "common.references.expect" (dict "at" (printf "%s.workload" .at) "name" .workload "known" (keys .root.Values.workloads) "what" "a workload of the chart") -}}
{{- $claims := list -}}
{{- range $volume, $spec := (get .root.Values.workloads .workload).volumes -}}
  {{- if $spec.claim -}}{{- $claims = append $claims $volume -}}{{- end -}}
{{- end -}}
{{- include "common.references.expect" (dict "at" (printf "%s.volume" .at) "name" .volume "known" $claims "what" (printf "a volume of %s with a claim" .workload)) -}}
{{- end -}}

{{/*
One end of a connection. Kubernetes takes an empty peer for every peer. Takes (root, at, peer, ports: those of the
workload, of `from`).
*/}}
{{- define "common.references.peer" -}}
{{- $ends := list "workload" "namespace" "internet" "lan" "chart" "cluster" "public" "anywhere" "cidr" -}}
{{- $given := list -}}
{{- range $ends -}}
  {{- if get $.peer . -}}{{- $given = append $given . -}}{{- end -}}
{{- end -}}
{{- if not $given -}}
  {{- fail (printf "\n\n%s has no peer, expected one of %s\n" .at (join ", " $ends)) -}}
{{- end -}}
{{- if not .peer.namespace -}}
  {{- /* Workloads for architectures without a node in the home, and copies of claims, are valid peers too. */ -}}
  {{- $known := list -}}
  {{- range $name, $workload := .root.Values.workloads -}}
    {{- $known = concat $known (list $name (regexReplaceAll "-(amd64|arm64)$" $name "-amd64") (regexReplaceAll "-(amd64|arm64)$" $name "-arm64")) -}}
    {{- range $volume, $spec := $workload.volumes -}}
      {{- if $spec.claim -}}
        {{- $claim := include "common.claimName" (dict "name" $name "volume" $volume) -}}
        {{- $known = concat $known (list (printf "%s-backup" $claim) (printf "%s-drill" $claim) (printf "%s-restore" $claim)) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
  {{- include "common.references.expect" (dict "at" (printf "%s.workload" .at) "name" .peer.workload "known" $known "what" "a workload of the chart") -}}
{{- end -}}
{{- if .ports -}}
  {{- range .peer.ports -}}
    {{- include "common.references.expect" (dict "at" (printf "%s.ports" $.at) "name" (first (splitList "/" (toString .))) "known" (concat (keys $.ports) (values $.ports)) "what" "a port of the workload") -}}
  {{- end -}}
{{- end -}}
{{- end -}}
