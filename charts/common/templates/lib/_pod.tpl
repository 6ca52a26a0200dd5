{{/* A pod template's metadata and spec. Takes (root, name, workload). */}}
{{- define "common.podTemplate" -}}
{{- $context := . -}}
{{- $root := .root -}}
{{- $workload := .workload -}}
{{- include "common.containers" . -}}
{{- $first := list -}}
{{- if not $workload.plain -}}
  {{- $first = include "common.backup.first" . | fromYamlArray -}}
{{- end -}}
{{- $annotations := dict -}}
{{- range $volume, $spec := $workload.volumes -}}
  {{- with and (not $workload.plain) $spec.configMap -}}
    {{- $_ := set $annotations (printf "checksum/%s" .) (include "common.configData" (dict "root" $root "name" .) | sha256sum) -}}
  {{- end -}}
{{- end -}}
{{- with $workload.metrics -}}
  {{- $_ := set $annotations "prometheus.io/scrape" "true" -}}
  {{- $_ := set $annotations "prometheus.io/port" (toString .port) -}}
  {{- $_ := set $annotations "prometheus.io/path" (.path | default "/metrics") -}}
  {{- if .honorLabels -}}{{- $_ := set $annotations "prometheus.io/honor-labels" "true" -}}{{- end -}}
{{- end -}}
metadata:
  labels:
    {{- include "common.labels" . | nindent 4 }}
    {{- if or $first $workload.plain }}
    hearth/backup-target: "true"
    {{- end }}
    {{- if ($workload.ingress | default dict).public }}
    {{- /* The edge's policy refers to it: charts/pangolin. */}}
    hearth/public: "true"
    {{- end }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ $workload.account | default .name }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- if include "common.pulls" . }}
  {{- /* The Pulumi program writes it: components/registry-login.ts. */}}
  imagePullSecrets:
    - name: registry
  {{- end }}
  priorityClassName: {{ $workload.priorityClass | default $root.Values.common.global.priorityClass }}
  {{- with $workload.hostNetwork }}
  hostNetwork: {{ . }}
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  {{- with $workload.nameservers }}
  dnsPolicy: None
  dnsConfig:
    nameservers:
      {{- toYaml . | nindent 6 }}
  {{- end }}
  {{- with $workload.hostPID }}
  hostPID: {{ . }}
  {{- end }}
  {{- with $workload.hostname }}
  hostname: {{ . }}
  {{- end }}
  {{- with $workload.terminationGracePeriodSeconds }}
  terminationGracePeriodSeconds: {{ . }}
  {{- end }}
  {{- if has $workload.kind (list "CronJob" "Job") }}
  restartPolicy: {{ $workload.restartPolicy | default "OnFailure" }}
  {{- end }}
  securityContext:
    {{- include "common.podSecurityContext" . | nindent 4 }}
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms:
          - matchExpressions:
              - key: kubernetes.io/arch
                operator: In
                values:
                  {{- toYaml $workload.architectures | nindent 18 }}
  {{- with $workload.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $workload.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if or $first $workload.init }}
  initContainers:
    {{- range $first }}
    - {{ include "common.container" (merge (dict "container" .name "spec" .spec "at" .mounts) $context) | indent 6 | trim }}
    {{- end }}
    {{- range $container, $spec := $workload.init }}
    - {{ include "common.container" (merge (dict "container" $container "spec" $spec) $context) | indent 6 | trim }}
    {{- end }}
  {{- end }}
  containers:
    - {{ include "common.container" (merge (dict "container" .name "spec" (get .containers .name)) $context) | indent 6 | trim }}
    {{- range $container, $spec := $workload.sidecars }}
    - {{ include "common.container" (merge (dict "container" $container "spec" $spec) $context) | indent 6 | trim }}
    {{- end }}
  volumes:
    {{- include "common.volumes" . | trim | nindent 4 }}
    {{- if $first }}
    - name: backup
      configMap:
        name: backup
        defaultMode: 292
    - name: backup-target
      secret:
        secretName: backup
        defaultMode: 288
        optional: true
    {{- end }}
{{- end -}}

{{/* The user of a workload's pods. Takes (root, workload). */}}
{{- define "common.podSecurityContext" -}}
{{- $security := deepCopy .workload.podSecurityContext -}}
{{- if and (include "common.usesMedia" .workload) $security.runAsUser -}}
  {{- /* Programs that share the export change each other's files. */ -}}
  {{- $_ := set $security "runAsGroup" (int .root.Values.common.global.media.group) -}}
  {{- $_ := set $security "fsGroup" (int .root.Values.common.global.media.group) -}}
{{- end -}}
{{- toYaml $security -}}
{{- end -}}

{{/* "true" where a workload mounts the shared export. */}}
{{- define "common.usesMedia" -}}
{{- range .volumes -}}
  {{- if hasKey . "media" -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/* "true" where an image was built in the home: its registry requires a login. Takes (root, name, workload). */}}
{{- define "common.pulls" -}}
{{- include "common.containers" . -}}
{{- $own := printf "git.%s/" .root.Values.common.global.domain -}}
{{- $found := false -}}
{{- range concat (values .containers) (values (.workload.init | default dict)) -}}
  {{- if hasPrefix $own .image.repository -}}{{- $found = true -}}{{- end -}}
{{- end -}}
{{- if $found -}}true{{- end -}}
{{- end -}}
