{{/* The volumes of a workload's pods. Takes (root, name, workload). */}}
{{- define "common.volumes" -}}
{{- $root := .root -}}
{{- $name := .name -}}
{{- range $volume, $spec := .workload.volumes }}
- name: {{ $volume }}
  {{- if hasKey $spec "claim" }}
  persistentVolumeClaim:
    claimName: {{ include "common.claimName" (dict "name" $name "volume" $volume) }}
  {{- else if hasKey $spec "claimOf" }}
  persistentVolumeClaim:
    claimName: {{ include "common.claimName" (dict "name" $spec.claimOf.workload "volume" ($spec.claimOf.volume | default $volume)) }}
  {{- else if hasKey $spec "media" }}
  persistentVolumeClaim:
    claimName: media
  {{- else if and (hasKey $spec "configMap") (hasKey $spec "secret") }}
  projected:
    defaultMode: 288
    sources:
      - configMap:
          name: {{ $spec.configMap }}
      - secret:
          {{- include "common.secretSource" (dict "root" $root "secret" $spec.secret "key" "name") | nindent 10 }}
  {{- else if hasKey $spec "configMap" }}
  configMap:
    name: {{ $spec.configMap }}
    defaultMode: {{ if $spec.executable }}365{{ else }}292{{ end }}
  {{- else if hasKey $spec "secret" }}
  secret:
    {{- include "common.secretSource" (dict "root" $root "secret" $spec.secret "key" "secretName") | nindent 4 }}
    defaultMode: 288
  {{- else if hasKey $spec "scratch" }}
  ephemeral:
    volumeClaimTemplate:
      spec:
        accessModes:
          - ReadWriteOnce
        storageClassName: {{ $spec.scratch.class | default $root.Values.common.global.claimClass }}
        volumeMode: Filesystem
        resources:
          requests:
            storage: {{ $spec.scratch.size }}
  {{- else if hasKey $spec "host" }}
  hostPath:
    path: {{ $spec.host.path }}
    type: {{ $spec.host.type | default "Directory" }}
  {{- else }}
  emptyDir: {{ toJson $spec.empty }}
  {{- end }}
{{- end }}
- name: tmp
  emptyDir: {}
{{- if hasKey .workload "permissions" }}
{{- /* Token files that Kubernetes would mount in every container of the pod. */}}
- name: token
  projected:
    defaultMode: 420
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3607
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                apiVersion: v1
                fieldPath: metadata.namespace
{{- end }}
{{- end -}}

{{/*
Secret with a volume's files; one of another chart may be created later. A volume and a part of a projected volume have the
name under different keys. Takes (root, secret, key).
*/}}
{{- define "common.secretSource" -}}
{{ .key }}: {{ .secret.name | default (include "common.secretName" .root) }}
{{- /*
A Secret of cert-manager's: the pod waits for the internal CA, which issues within seconds, since programs read their
certificate authorities once. An issuer elsewhere may take long, and writes no ca.crt.
*/}}
{{- if or .secret.optional (and .secret.name (ne .root.Values.common.global.clusterIssuer "internal-ca")) }}
optional: true
{{- end }}
{{- with .secret.items }}
items:
  {{- range $key, $path := . }}
  - key: {{ $key }}
    path: {{ $path }}
  {{- end }}
{{- end }}
{{- end -}}

{{/*
The mounts of one container: each volume's `mount` in the main container, and `mounts` in the containers it lists; /tmp where the root filesystem is read-only. Takes (root, name, workload, container, writable) and, for a container that no volume lists, (at): its mount paths by volume.
*/}}
{{- define "common.mounts" -}}
{{- $container := .container -}}
{{- $main := eq .container .name -}}
{{- $taken := false -}}
{{- $seen := dict -}}
{{- range $volume, $spec := .workload.volumes }}
{{- $places := list }}
{{- if $main }}{{ $places = $spec.mount | default list }}{{ end }}
{{- with get ($spec.mounts | default dict) $container }}{{ $places = . }}{{ end }}
{{- with get ($.at | default dict) $volume }}{{ $places = . }}{{ end }}
{{- if not (kindIs "slice" $places) }}{{ $places = list $places }}{{ end }}
{{- range $place := $places }}
{{- $where := kindIs "map" $place | ternary $place (dict "path" $place) }}
{{- if eq $where.path "/tmp" }}{{ $taken = true }}{{ end }}
{{- with get $seen $where.path }}
{{- fail (printf "\n\nchart %s: workloads.%s.volumes.%s is mounted at %s of container %s, as %s is: give each mount a path of its own\n" $.root.Chart.Name $.name $volume $where.path $container .) }}
{{- end }}
{{- $_ := set $seen $where.path $volume }}
- name: {{ $volume }}
  mountPath: {{ $where.path }}
  {{- with $where.subPath }}
  subPath: {{ . }}
  {{- end }}
  {{- if or $where.readOnly (hasKey $spec "configMap") (hasKey $spec "secret") }}
  readOnly: true
  {{- end }}
  {{- with $where.propagation }}
  mountPropagation: {{ . }}
  {{- end }}
{{- end }}
{{- end }}
{{- with .at }}
- name: backup
  mountPath: /backup
  readOnly: true
- name: backup
  mountPath: /etc/passwd
  subPath: passwd
  readOnly: true
- name: backup-target
  mountPath: /target
  readOnly: true
{{- end }}
{{- if not (or .writable $taken) }}
- name: tmp
  mountPath: /tmp
{{- end }}
{{- if and (hasKey .workload "permissions") (eq .container (.workload.tokenFor | default .name)) }}
- name: token
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}
{{- end -}}
