{{/*
A workload with all defaults filled in: the library's, then the chart's, then its own. In place of returning, it sets
`workload` in the given dict. Takes (root, name).
*/}}
{{- define "common.workload" -}}
{{- $workload := deepCopy .root.Values.common.defaults -}}
{{- include "common.merge" (dict "into" $workload "from" (.root.Values.defaults | default dict)) -}}
{{- include "common.merge" (dict "into" $workload "from" (get .root.Values.workloads .name)) -}}
{{- $_ := set . "workload" $workload -}}
{{- include "common.workload.check" . -}}
{{- end -}}

{{/*
All of a workload's containers by name: the main one, called as the workload, and the sidecars. Sets `containers`.
Takes (root, name, workload).
*/}}
{{- define "common.containers" -}}
{{- $main := pick .workload "image" "command" "args" "env" "ports" "health" "resources" "securityContext" "workingDir" "lifecycle" -}}
{{- $_ := set . "containers" (merge (dict .name $main) (.workload.sidecars | default dict)) -}}
{{- end -}}

{{/* What a schema cannot say. */}}
{{- define "common.workload.check" -}}
{{- $at := printf "chart %s: workloads.%s" .root.Chart.Name .name -}}
{{- $workload := .workload -}}
{{- range $key := list "image" "resources" -}}
  {{- if not (hasKey $workload $key) -}}
    {{- fail (printf "\n\n%s.%s is missing; accepted: an object (in the workload, or in the chart's defaults)\n" $at $key) -}}
  {{- end -}}
{{- end -}}
{{- if and (eq $workload.kind "CronJob") (not $workload.schedule) -}}
  {{- fail (printf "\n\n%s.schedule is missing; accepted: string (when a CronJob runs, as in crontab)\n" $at) -}}
{{- end -}}
{{- range $volume, $spec := $workload.volumes -}}
  {{- $sources := list "claim" "claimOf" "media" "configMap" "secret" "empty" "host" -}}
  {{- $given := list -}}
  {{- range $source := $sources -}}
    {{- if hasKey $spec $source -}}{{- $given = append $given $source -}}{{- end -}}
  {{- end -}}
  {{- if and (ne (len $given) 1) (ne (join " " $given) "configMap secret") -}}
    {{- fail (printf "\n\n%s.volumes.%s has %d sources; accepted: exactly one of %s; or configMap and secret, in one folder\n" $at $volume (len $given) (join ", " $sources)) -}}
  {{- end -}}
  {{- if hasKey $spec "claim" -}}
    {{- $access := $spec.claim.access | default "ReadWriteOnce" -}}
    {{- if and (has $workload.kind (list "CronJob" "Job")) (eq $access "ReadWriteOnce") -}}
      {{- fail (printf "\n\n%s.volumes.%s: a claim of its own that waits for a %s is Pending until that runs, and Argo CD waits with it; accepted: claimOf a workload that always runs, or a claim with access ReadWriteMany and class nfs\n" $at $volume $workload.kind) -}}
    {{- end -}}
    {{- if and (gt (int $workload.replicas) 1) (eq $access "ReadWriteOnce") -}}
      {{- fail (printf "\n\n%s.replicas is %v, and its volume %s can be mounted by one; accepted: 1, or a claim with access ReadWriteMany\n" $at $workload.replicas $volume) -}}
    {{- end -}}
  {{- end -}}
  {{- with $spec.configMap -}}
    {{- if not (hasKey ($.root.Values.configs | default dict) .) -}}
      {{- fail (printf "\n\n%s.volumes.%s.configMap is %q; accepted: one of configs: %s\n" $at $volume . (keys ($.root.Values.configs | default dict) | sortAlpha | join ", ")) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}
