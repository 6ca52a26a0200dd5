{{/* Completes the workload external-dns from the values in `records`. Takes the root. */}}
{{- define "pangolin.records" -}}
{{- $dns := index .Values.workloads "external-dns" -}}
{{- with .Values.records -}}
  {{- if .provider -}}
    {{- $isOwn := eq .provider "rfc2136" -}}
    {{- if ne $isOwn (ne .server "") -}}
      {{- fail (printf "\n\nchart pangolin: records.server is %q: set it with the provider rfc2136, and with no other\n" .server) -}}
    {{- end -}}
    {{- $zone := .zone | default (include "common.domain" $) -}}
    {{- $args := list (printf "--provider=%s" .provider) (printf "--domain-filter=%s" $zone) -}}
    {{- $variable := get (dict "cloudflare" "CF_API_TOKEN" "rfc2136" "EXTERNAL_DNS_RFC2136_TSIG_SECRET") .provider -}}
    {{- $peer := dict "internet" true "ports" (list 443) -}}
    {{- if $isOwn -}}
      {{- $args = concat $args (list
        (printf "--rfc2136-host=%s" .server)
        (printf "--rfc2136-port=%v" .port)
        (printf "--rfc2136-zone=%s" $zone)
        (printf "--rfc2136-tsig-keyname=%s" .key)
        (printf "--rfc2136-tsig-secret-alg=%s" .algorithm)
        "--rfc2136-tsig-axfr") -}}
      {{- $ports := list .port (printf "%v/UDP" .port) -}}
      {{- $peer = dict "cidr" (printf "%s/%s" .server (contains ":" .server | ternary "128" "32")) "ports" $ports -}}
    {{- end -}}
    {{- with .target -}}
      {{- $args = concat $args (list
        "--annotation-filter=hearth/public"
        (printf "--default-targets=%s" .)
        "--force-default-targets") -}}
    {{- end -}}
    {{- $_ := set $dns "enabled" true -}}
    {{- $_ := set $dns "args" (concat $dns.args $args) -}}
    {{- $_ := set $dns "env" (dict $variable (dict "secret" "records-key")) -}}
    {{- $_ := set $dns.network "to" (append $dns.network.to $peer) -}}
  {{- end -}}
{{- end -}}
{{- end -}}
