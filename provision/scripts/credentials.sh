# shellcheck shell=bash
# Runs on the first server. Its result is the token of servers, the token of agents, a line each, then the administrator's
# kubeconfig.
# Input: api, host name or address under which the API server is reached.
: "${api:?}"

main() {
    local folder=/var/lib/rancher/k3s/server file
    for file in "$folder/token" "$folder/agent-token" /etc/rancher/k3s/k3s.yaml; do
        wait_until 60 "$file" test -s "$file" || die "k3s has not written $file: see journalctl -u k3s on the node"
    done
    result "$(<"$folder/token")"$'\n'"$(<"$folder/agent-token")"$'\n'"$(
        sed -E "s#^( *server: https://)[^:]+:#\1$api:#" /etc/rancher/k3s/k3s.yaml
    )"
}

main "$@" </dev/null
