{{/*
Replaces each workload with `eachArchitecture` by one for each architecture of the home's nodes: runner-amd64,
runner-arm64. Values of that name are merged over it, and ignored where no node has the architecture.
*/}}
{{- define "common.expand" -}}
{{- $root := . -}}
{{- $workloads := dict -}}
{{- $own := list -}}
{{- range $name, $workload := .Values.workloads -}}
  {{- if ($workload | default dict).eachArchitecture -}}
    {{- range $architecture := list "amd64" "arm64" -}}
      {{- $each := printf "%s-%s" $name $architecture -}}
      {{- $own = append $own $each -}}
      {{- if has $architecture $root.Values.common.global.architectures -}}
        {{- $copy := deepCopy (omit $workload "eachArchitecture") -}}
        {{- include "common.merge" (dict "into" $copy "from" (dict "architectures" (list $architecture) "env" (dict "ARCHITECTURE" $architecture))) -}}
        {{- include "common.merge" (dict "into" $copy "from" (get $root.Values.workloads $each | default dict)) -}}
        {{- $_ := set $workloads $each $copy -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range $name, $workload := .Values.workloads -}}
  {{- if not (or ($workload | default dict).eachArchitecture (has $name $own)) -}}
    {{- $_ := set $workloads $name $workload -}}
  {{- end -}}
{{- end -}}
{{- $_ := set .Values "workloads" $workloads -}}
{{- end -}}

{{/*
A workload with all defaults filled in: the library's, then the chart's, then its own. Sets `workload` in the given dict, since templates return only strings. Takes (root, name).
*/}}
{{- define "common.workload" -}}
{{- $workload := deepCopy .root.Values.common.defaults -}}
{{- $own := get .root.Values.workloads .name | default dict -}}
{{- /* Workloads that the library adds do not use the chart's own defaults. */ -}}
{{- if not $own.plain -}}
  {{- include "common.merge" (dict "into" $workload "from" (.root.Values.defaults | default dict)) -}}
{{- end -}}
{{- include "common.merge" (dict "into" $workload "from" $own) -}}
{{- $_ := set . "workload" $workload -}}
{{- if not .root.Values.common.global.nfs -}}
  {{- include "common.workload.withoutExport" . -}}
{{- end -}}
{{- if not $workload.plain -}}
  {{- include "common.workload.check" . -}}
  {{- include "common.workload.references" . -}}
{{- end -}}
{{- if include "common.onEdge" . -}}
  {{- include "common.workload.onEdge" . -}}
{{- end -}}
{{- end -}}

{{/* "true" where a workload runs on the edge. Takes (root, workload). */}}
{{- define "common.onEdge" -}}
{{- if and .workload.edge .root.Values.common.global.edge -}}true{{- end -}}
{{- end -}}

{{/*
Moves a workload to the edge, a host on the Internet that can be lost or compromised: it must have no volume, no copies made with the home's credentials, and no address of the home's network. Takes (root, name, workload).
*/}}
{{- define "common.workload.onEdge" -}}
{{- $_ := set .workload "nodeSelector" (merge (dict "hearth/edge" "true") (.workload.nodeSelector | default dict)) -}}
{{- $toleration := dict "key" "hearth/edge" "operator" "Exists" "effect" "NoSchedule" -}}
{{- $_ := set .workload "tolerations" (append (.workload.tolerations | default list) $toleration) -}}
{{- range $volume, $spec := .workload.volumes -}}
  {{- with $spec.claim -}}
    {{- $_ := set $spec "empty" (dict "sizeLimit" .size) -}}
    {{- $_ := unset $spec "claim" -}}
  {{- end -}}
{{- end -}}
{{- range $container := prepend (values (.workload.sidecars | default dict)) .workload -}}
  {{- range $port, $spec := $container.ports -}}
    {{- if and (kindIs "map" $spec) $spec.lan -}}
      {{- $_ := set $spec "hostPort" ($spec.servicePort | default $spec.port) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/*
Moves claims of the class nfs to a disk of the node. Media cannot be moved: several services share one directory.
Takes (root, name, workload).
*/}}
{{- define "common.workload.withoutExport" -}}
{{- range $volume, $spec := .workload.volumes -}}
  {{- if hasKey $spec "media" -}}
    {{- fail (printf "\n\nchart %s: workloads.%s.volumes.%s is on the export with media, and the home has none; set hearth:nfs, or remove the service from clusters/\n" $.root.Chart.Name $.name $volume) -}}
  {{- end -}}
  {{- with $spec.claim -}}
    {{- if eq (.class | default "") "nfs" -}}
      {{- $_ := set $spec "claim" (merge (dict "access" "ReadWriteOnce") (omit . "class" "access")) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/*
All of a workload's containers by name: the main one, which has the workload's name, and the sidecars. Sets `containers`.
Takes (root, name, workload).
*/}}
{{- define "common.containers" -}}
{{- $main := pick .workload "image" "command" "args" "env" "ports" "health" "resources" "securityContext" "workingDir" "lifecycle" -}}
{{- $_ := set . "containers" (merge (dict .name $main) (.workload.sidecars | default dict)) -}}
{{- end -}}

{{/* Rules that a schema cannot express. */}}
{{- define "common.workload.check" -}}
{{- $at := printf "chart %s: workloads.%s" .root.Chart.Name .name -}}
{{- $workload := .workload -}}
{{- range $key := list "image" "resources" -}}
  {{- if not (hasKey $workload $key) -}}
    {{- fail (printf "\n\n%s.%s is missing: expected an object (in the workload, or in the chart's defaults)\n" $at $key) -}}
  {{- end -}}
{{- end -}}
{{- $homes := .root.Values.common.global.architectures -}}
{{- $usable := list -}}
{{- range $workload.architectures -}}
  {{- if has . $homes -}}{{- $usable = append $usable . -}}{{- end -}}
{{- end -}}
{{- if not $usable -}}
  {{- fail (printf "\n\n%s.architectures is %s, and the home's nodes have %s: no node can run it\n" $at (join ", " $workload.architectures) (join ", " $homes)) -}}
{{- end -}}
{{- with get ($workload.nodeSelector | default dict) "kubernetes.io/arch" -}}
  {{- if not (has . $usable) -}}
    {{- fail (printf "\n\n%s.nodeSelector requires %s, expected one of %s: no other node of the home can run it\n" $at . (join ", " $usable)) -}}
  {{- end -}}
{{- end -}}
{{- if and (eq $workload.kind "CronJob") (not $workload.schedule) -}}
  {{- fail (printf "\n\n%s.schedule is missing: expected string (when a CronJob runs, as in crontab)\n" $at) -}}
{{- end -}}
{{- with $workload.ingress -}}
  {{- if and (eq (.login | default "") "none") (not .reason) -}}
    {{- fail (printf "\n\n%s.ingress.reason is missing: give the reason for no login on the Internet, or remove login: none\n" $at) -}}
  {{- end -}}
  {{- if and .reason (ne (.login | default "") "none") -}}
    {{- fail (printf "\n\n%s.ingress.reason explains login: none, which is missing: set both, or neither\n" $at) -}}
  {{- end -}}
  {{- if and .login (not .public) -}}
    {{- fail (printf "\n\n%s.ingress.login only applies to the Internet: set public: true, or remove login\n" $at) -}}
  {{- end -}}
{{- end -}}
{{- with $workload.tokenFor -}}
  {{- $names := concat (list $.name) (keys ($workload.sidecars | default dict)) (keys ($workload.init | default dict)) -}}
  {{- if not (has . $names) -}}
    {{- fail (printf "\n\n%s.tokenFor is %q, expected a container of the workload: %s\n" $at . (sortAlpha $names | join ", ")) -}}
  {{- end -}}
{{- end -}}
{{- range $volume, $spec := $workload.volumes -}}
  {{- $sources := list "claim" "claimOf" "media" "configMap" "secret" "empty" "host" -}}
  {{- $given := list -}}
  {{- range $source := $sources -}}
    {{- if hasKey $spec $source -}}{{- $given = append $given $source -}}{{- end -}}
  {{- end -}}
  {{- if and (ne (len $given) 1) (ne (join " " $given) "configMap secret") -}}
    {{- fail (printf "\n\n%s.volumes.%s has %d sources, expected exactly one of %s; or configMap and secret, in one folder\n" $at $volume (len $given) (join ", " $sources)) -}}
  {{- end -}}
  {{- if hasKey $spec "claim" -}}
    {{- $access := $spec.claim.access | default "ReadWriteOnce" -}}
    {{- if and (has $workload.kind (list "CronJob" "Job")) (eq $access "ReadWriteOnce") -}}
      {{- fail (printf "\n\n%s.volumes.%s: a claim of its own that waits for a %s is Pending until that runs, and Argo CD waits for it: use claimOf a workload that always runs, or a claim with access ReadWriteMany and class nfs\n" $at $volume $workload.kind) -}}
    {{- end -}}
    {{- if and (eq $workload.kind "DaemonSet") (eq $access "ReadWriteOnce") -}}
      {{- fail (printf "\n\n%s.volumes.%s: only one node can mount a claim with access ReadWriteOnce, and a DaemonSet has a pod on each: expected a claim with access ReadWriteMany and class nfs, or host\n" $at $volume) -}}
    {{- end -}}
    {{- if and (gt (int $workload.replicas) 1) (eq $access "ReadWriteOnce") -}}
      {{- fail (printf "\n\n%s.replicas is %v, and only one pod can mount its volume %s: expected 1, or a claim with access ReadWriteMany\n" $at $workload.replicas $volume) -}}
    {{- end -}}
  {{- end -}}
  {{- with $spec.configMap -}}
    {{- if not (hasKey ($.root.Values.configs | default dict) .) -}}
      {{- fail (printf "\n\n%s.volumes.%s.configMap is %q, expected one of configs: %s\n" $at $volume . (keys ($.root.Values.configs | default dict) | sortAlpha | join ", ")) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}
