# shellcheck shell=bash
# Runs on the first server and hands back how to get into the cluster: the token of servers, the token of agents, each a
# line, then the administrator's kubeconfig.
# Input: api, host name or address under which the API server is reached.
: "${api:?}"

api_answers() { k3s kubectl --request-timeout=5s --server "https://$api:6443" get --raw /readyz; }

main() {
    local folder=/var/lib/rancher/k3s/server file
    for file in "$folder/token" "$folder/agent-token" /etc/rancher/k3s/k3s.yaml; do
        wait_until 60 "$file" test -s "$file" || die "k3s has not written $file: see journalctl -u k3s on the node"
    done
    # With several servers the address is not this node's: it may lead elsewhere, or nowhere.
    if ! wait_until 60 "https://$api:6443" api_answers >/dev/null 2>&1; then
        api_answers || true
        die "this cluster is not what answers at $api (see above), which is hearth:api.address, or else the first server's:" \
            "correct it, or let it lead to the servers, and run \`pulumi up\` again"
    fi
    result "$(<"$folder/token")"$'\n'"$(<"$folder/agent-token")"$'\n'"$(
        sed -E "s#^( *server: https://)[^:]+:#\1$api:#" /etc/rancher/k3s/k3s.yaml
    )"
}

main "$@" </dev/null
