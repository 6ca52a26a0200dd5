{{/*
Copies of a chart's claims off the home, with the Application's `global.backup`; without it, nothing. Each kept claim gets three CronJobs: <claim>-backup, <claim>-drill and <claim>-restore, which is suspended and run by hack/restore.
They are workloads like those of the values, in the namespace and with the user of the workload that has the claim.
*/}}

{{/* "true" where a volume's claim is copied. Takes (root, volume). */}}
{{- define "common.backup.copies" -}}
{{- with .volume.claim -}}
  {{- if and $.root.Values.common.global.backup.home (ne (toString .keep) "false") (not (.backup | default dict).skip) -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/* Adds the CronJobs to the workloads of the values, and their users to `users`. Takes (root, users). */}}
{{- define "common.backup.expand" -}}
{{- $root := .root -}}
{{- $workloads := dict -}}
{{- range $name, $_ := $root.Values.workloads -}}
  {{- $context := dict "root" $root "name" $name -}}
  {{- include "common.workload" $context -}}
  {{- if ne (toString $context.workload.enabled) "false" -}}
    {{- range $volume, $spec := $context.workload.volumes -}}
      {{- if include "common.backup.copies" (dict "root" $root "volume" $spec) -}}
        {{- $_ := set $ "users" (append $.users (toString $context.workload.podSecurityContext.runAsUser)) -}}
        {{- $each := merge (dict "volume" $volume "claim" $spec.claim "backup" ($spec.claim.backup | default dict)) $context -}}
        {{- $claim := include "common.claimName" $each -}}
        {{- if gt (len $claim) 44 -}}
          {{- fail (printf "\n\nchart %s: workloads.%s.volumes.%s: the claim's name has %d letters, and those of its CronJobs at most 52: shorten the names to 44 letters together\n" $root.Chart.Name $name $volume (len $claim)) -}}
        {{- end -}}
        {{- range $action := list "backup" "drill" "restore" -}}
          {{- $_ := set $workloads (printf "%s-%s" $claim $action) (include (printf "common.backup.%s" $action) (merge (dict "claimName" $claim) $each) | fromYaml) -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range $name, $workload := $workloads -}}
  {{- $_ := set $root.Values.workloads $name $workload -}}
{{- end -}}
{{- end -}}

{{/* A number of minutes that depends on the claim's name only. Takes (root, claimName, below). */}}
{{- define "common.backup.minutes" -}}
{{- mod (printf "0x%s" (printf "%s/%s" .root.Release.Namespace .claimName | sha256sum | trunc 7) | int64) (int64 .below) -}}
{{- end -}}

{{/* Every container's variables. Takes (root, claimName, backup). */}}
{{- define "common.backup.env" -}}
{{- $backup := .root.Values.common.global.backup -}}
CLAIM: {{ .root.Release.Namespace }}/{{ .claimName }}
HOME_NAME: {{ $backup.home }}
TARGETS: {{ join " " $backup.targets }}
{{- end -}}

{{/*
A container in restic's image: the action of backup.sh. As root, it may read and write files of other users, like the service's own image. Takes (root, claimName, backup, workload, action, env).
*/}}
{{- define "common.backup.restic" -}}
image:
  {{- toYaml .root.Values.common.backup.image | nindent 2 }}
command: [sh, /backup/backup.sh, {{ .action }}]
env:
  {{- include "common.backup.env" . | nindent 2 }}
  {{- with .env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
resources:
  {{- toYaml .root.Values.common.backup.resources | nindent 2 }}
{{- include "common.backup.security" . }}
{{- end -}}

{{/* The same in Python's image: the action of databases.py. */}}
{{- define "common.backup.python" -}}
image:
  {{- toYaml .root.Values.common.backup.databases | nindent 2 }}
command: [python3, /backup/databases.py, {{ .action }}]
env:
  {{- include "common.backup.env" . | nindent 2 }}
  {{- with .env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
resources:
  {{- toYaml .root.Values.common.backup.databasesResources | nindent 2 }}
{{- include "common.backup.security" . }}
{{- end -}}

{{/* The chart's command that converts a copy to data, as backup.sh runs it. */}}
{{- define "common.backup.load" -}}
{{- $load := deepCopy .backup.load -}}
{{- $_ := set $load "command" (concat (list "sh" "/backup/backup.sh" "load") .backup.load.command) -}}
{{- $_ := set $load "env" (merge (pick .env "VOLUME" "START") ($load.env | default dict)) -}}
{{- toYaml $load }}
{{- end -}}

{{- define "common.backup.security" -}}
{{- if eq (toString .workload.podSecurityContext.runAsUser) "0" }}
securityContext:
  capabilities:
    add: [CHOWN, DAC_OVERRIDE, FOWNER]
{{- end }}
{{- end -}}

{{/* Settings that all three share: node and user of the workload that has the claim. */}}
{{- define "common.backup.common" -}}
{{- $security := include "common.podSecurityContext" . | fromYaml -}}
kind: CronJob
plain: true
account: {{ .name }}
priorityClass: backup
backoffLimit: 1
restartPolicy: Never
labels:
  hearth/claim: {{ .claimName }}
  hearth/backup: {{ .kind }}
architectures:
  {{- toYaml .workload.architectures | nindent 2 }}
podSecurityContext:
  {{- toYaml $security | nindent 2 }}
{{- with .workload.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Each night: dumps of databases, then one copy of everything. */}}
{{- define "common.backup.backup" -}}
{{- $global := .root.Values.common.global.backup -}}
{{- $backup := .backup -}}
{{- $minutes := include "common.backup.minutes" (merge (dict "below" (mul 60 $global.hours)) .) | int -}}
{{- include "common.backup.common" (merge (dict "kind" "backup") .) }}
schedule: {{ printf "%d %d * * *" (mod $minutes 60) (mod (add $global.start (div $minutes 60)) 24) }}
{{- $env := dict -}}
{{- with $global.uploadLimit }}{{ $_ := set $env "UPLOAD_LIMIT" (toString .) }}{{ end -}}
{{- with $backup.exclude }}{{ $_ := set $env "EXCLUDE" (join "\n" .) }}{{ end }}
{{ include "common.backup.restic" (merge (dict "action" "backup" "env" $env) .) }}
init:
  databases:
    {{- include "common.backup.python" (merge (dict "action" "copy") .) | nindent 4 }}
  {{- with $backup.before }}
  dump:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- with $backup.network }}
network:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  scripts: { configMap: backup, mount: [/backup, { path: /etc/passwd, subPath: passwd }], mounts: { databases: /backup, dump: /backup } }
  target: { secret: { name: backup }, mount: /target }
  {{- if eq (toString $backup.files) "false" }}
  files: { empty: {}, mount: { path: /copy/files, readOnly: true }, mounts: { databases: /copy/files } }
  {{- else }}
  files:
    claimOf: { workload: {{ .name }}, volume: {{ .volume }} }
    mount: { path: /copy/files, readOnly: true }
    mounts: { databases: /copy/files }
  {{- end }}
  copies: { empty: {}, mount: { path: /copy/databases, readOnly: true }, mounts: { databases: /copy/databases, dump: /copy/databases } }
  copied: { empty: {}, mount: { path: /copied, readOnly: true }, mounts: { databases: /copied } }
{{- end -}}

{{/* Once a month: the newest copy is restored to a separate volume and checked. */}}
{{- define "common.backup.drill" -}}
{{- $global := .root.Values.common.global.backup -}}
{{- $minutes := include "common.backup.minutes" (merge (dict "below" (mul 28 24 60)) .) | int -}}
{{- include "common.backup.common" (merge (dict "kind" "drill") .) }}
schedule: {{ printf "%d %d %d * *" (mod $minutes 60) (mod (add $global.start $global.hours (mod $minutes 5)) 24) (add 1 (div $minutes 1440)) }}
{{- $env := dict "VOLUME" "/volume" "DRILL" "yes" }}
{{ include "common.backup.check" (merge (dict "env" $env) .) }}
init:
  {{- include "common.backup.fetch" (merge (dict "action" "drill" "env" $env) .) | nindent 2 }}
volumes:
  scripts: { configMap: backup, mount: /backup, mounts: { fetch: [/backup, { path: /etc/passwd, subPath: passwd }], load: /backup } }
  target: { secret: { name: backup }, mounts: { fetch: /target } }
  volume:
    scratch: { size: {{ .claim.size }}{{ with .claim.class }}, class: {{ . }}{{ end }} }
    mount: /volume
    mounts: { fetch: /volume, load: /volume }
{{- end -}}

{{/* The template of hack/restore: ACTION, COPY, TARGET, FILE and TO are added to each container. */}}
{{- define "common.backup.restore" -}}
{{- include "common.backup.common" (merge (dict "kind" "restore") .) }}
schedule: 0 0 1 1 *
suspend: true
{{- $env := dict "VOLUME" "/volume" }}
{{ include "common.backup.restic" (merge (dict "action" "swap" "env" $env) .) }}
init:
  {{- include "common.backup.fetch" (merge (dict "action" "restore" "env" $env) .) | nindent 2 }}
  {{- /* Init containers run in alphabetical order: the check is after load. */}}
  proof:
    {{- include "common.backup.check" (merge (dict "env" $env) .) | nindent 4 }}
volumes:
  scripts: { configMap: backup, mount: /backup, mounts: { fetch: [/backup, { path: /etc/passwd, subPath: passwd }], load: /backup, proof: /backup } }
  target: { secret: { name: backup }, mount: /target, mounts: { fetch: /target } }
  volume:
    claimOf: { workload: {{ .name }}, volume: {{ .volume }} }
    mount: /volume
    mounts: { fetch: /volume, load: /volume, proof: /volume }
{{- end -}}

{{/* Init containers that restore a copy next to the data, and convert it to data. Takes (…, action, env). */}}
{{- define "common.backup.fetch" -}}
fetch:
  {{- include "common.backup.restic" . | nindent 2 }}
{{- if .backup.load }}
load:
  {{- include "common.backup.load" . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A container that checks the copy next to the data. */}}
{{- define "common.backup.check" -}}
{{- $env := deepCopy .env -}}
{{- with .backup.expect }}{{ $_ := set $env "EXPECT" (join "\n" .) }}{{ end -}}
{{- include "common.backup.python" (merge (dict "action" "check" "env" $env) .) }}
{{- end -}}

{{/*
Containers that run before all others of a workload and restore each empty volume that has a copy. Omitted in a pod with its own name servers, which cannot resolve the target. Takes (root, name, workload).
*/}}
{{- define "common.backup.first" -}}
{{- $first := list -}}
{{- $context := . -}}
{{- if not .workload.nameservers -}}
  {{- range $volume, $spec := .workload.volumes -}}
    {{- if include "common.backup.copies" (dict "root" $context.root "volume" $spec) -}}
      {{- $backup := $spec.claim.backup | default dict -}}
      {{- $each := merge (dict "volume" $volume "backup" $backup "claimName" (include "common.claimName" (dict "name" $context.name "volume" $volume))) $context -}}
      {{- $env := dict "VOLUME" "/volume" "START" "start" -}}
      {{- if $context.root.Values.common.global.backup.startEmpty -}}{{- $_ := set $env "START_EMPTY" "true" -}}{{- end -}}
      {{- if $backup.load -}}{{- $_ := set $env "LOADS" "yes" -}}{{- end -}}
      {{- $mounts := dict $volume "/volume" -}}
      {{- $first = append $first (dict "name" (printf "restore-%s" $volume) "mounts" $mounts "spec" (include "common.backup.restic" (merge (dict "action" "prepare" "env" $env) $each) | fromYaml)) -}}
      {{- if $backup.load -}}
        {{- $first = append $first (dict "name" (printf "load-%s" $volume) "mounts" $mounts "spec" (include "common.backup.load" (merge (dict "env" $env) $each) | fromYaml)) -}}
        {{- $first = append $first (dict "name" (printf "start-%s" $volume) "mounts" $mounts "spec" (include "common.backup.restic" (merge (dict "action" "start" "env" $env) $each) | fromYaml)) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- toYaml $first -}}
{{- end -}}

{{/* Scripts, and the network policy for the target: once for each chart with copies. Takes (root, users). */}}
{{- define "common.backup.shared" -}}
{{- $root := .root -}}
{{- $labels := include "common.labels" (dict "root" $root "name" "backup") -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: backup
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
data:
  {{- range $file := list "backup.sh" "databases.py" }}
  {{ $file }}: |
    {{- $root.Subcharts.common.Files.Get (printf "files/%s" $file) | trimSuffix "\n" | nindent 4 }}
  {{- end }}
  {{- range $path, $content := $root.Files.Glob "backup/*" }}
  {{ base $path }}: |
    {{- $content | toString | trimSuffix "\n" | nindent 4 }}
  {{- end }}
  {{- /* ssh does not start for a user without a name. */}}
  passwd: |
    {{- range uniq .users | sortAlpha }}
    {{ eq . "0" | ternary "root" (printf "user%s" .) }}:x:{{ . }}:{{ . }}::/tmp:/bin/sh
    {{- end }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: backup
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- $labels | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      hearth/backup-target: "true"
  policyTypes:
    - Egress
  egress:
    {{- range prepend $root.Values.common.global.backup.egress (dict "namespace" "kube-system" "labels" (dict "k8s-app" "kube-dns") "ports" (list "53/UDP" 53)) }}
    - to:
        {{- include "common.networkpolicy.peers" . | trim | nindent 8 }}
      {{- include "common.networkpolicy.ports" . | nindent 6 }}
    {{- end }}
{{- end -}}
