{{- define "nfs.labels" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") | quote }}
{{- with .Values.customLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* One container; takes dict "root" . "name" "…" "image" "…" "args" list "resources" dict. */}}
{{- define "nfs.container" -}}
{{- $image := index .root.Values.image .image -}}
- name: {{ .name }}
  image: {{ printf "%s%s:%s" (hasPrefix "/" $image.repository | ternary .root.Values.image.baseRepo "") $image.repository $image.tag | quote }}
  imagePullPolicy: {{ $image.pullPolicy }}
  args:
    {{- toYaml .args | nindent 4 }}
  resources:
    {{- toYaml .resources | nindent 4 }}
{{- end }}

{{/* Additional fields of the container that mounts. */}}
{{- define "nfs.plugin" -}}
securityContext:
  privileged: true
  allowPrivilegeEscalation: true
  capabilities: { add: [SYS_ADMIN], drop: [ALL] }
env:
  - name: NODE_ID
    valueFrom: { fieldRef: { fieldPath: spec.nodeName } }
  - { name: CSI_ENDPOINT, value: "unix:///csi/csi.sock" }
livenessProbe:
  failureThreshold: 5
  initialDelaySeconds: 30
  timeoutSeconds: 10
  periodSeconds: 30
  httpGet: { host: localhost, path: /healthz, port: {{ .healthPort }} }
volumeMounts:
  - { name: socket-dir, mountPath: /csi }
  - { name: pods-mount-dir, mountPath: {{ .root.Values.kubeletDir }}/pods, mountPropagation: Bidirectional }
{{- end }}

{{- define "nfs.socket" -}}
securityContext:
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
volumeMounts:
  - { name: socket-dir, mountPath: /csi }
{{- end }}
