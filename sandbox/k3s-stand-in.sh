#!/bin/bash
# Stands in for k3s where the real one cannot be downloaded. It reads config.yaml, checks the token and the CA's hash in
# it, runs as the unit, starts a real etcd and API server (bind-mounted under /opt/tools) on the first server, and makes
# a Node of the machine. It runs no pods, and servers beside the first are no members of etcd.
set -euo pipefail
version=v1.35.0+k3s1
tools=/opt/tools
etc=/etc/rancher/k3s
data=/var/lib/rancher/k3s/server

# setting KEY: a single value of config.yaml.
setting() { sed -n "s/^$1: *//p" "$etc/config.yaml" | tr -d '"'; }
# settings KEY: the values of a list.
settings() { sed -n "/^$1:/,/^[^ ]/s/^ *- *//p" "$etc/config.yaml" | tr -d '"'; }
refuse() {
    echo "level=fatal msg=\"$*\"" >&2
    # shellcheck disable=SC2046 # a list of process ids
    kill -9 $(jobs -p) 2>/dev/null || true
    exit 1
}

certificate() { # NAME SUBJECT [EXTENSION]
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$data/tls/$1.key" -subj "$2" 2>/dev/null |
        openssl x509 -req -CA "$data/tls/ca.crt" -CAkey "$data/tls/ca.key" -days 30 -out "$data/tls/$1.crt" \
            -extfile <(printf '%s' "${3:-}") 2>/dev/null
}

make_certificates() {
    mkdir -p "$data/tls" "$data/db/snapshots" "$data/logs"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout "$data/tls/ca.key" \
        -out "$data/tls/ca.crt" -subj /CN=k3s-stand-in 2>/dev/null
    local names
    names=$(settings tls-san | sed -E 's/^[0-9.]+$/IP:&/; t; s/^/DNS:/' | paste -sd,)
    certificate server /CN=server "subjectAltName=IP:127.0.0.1,$names"
    certificate admin /O=system:masters/CN=admin
    openssl genrsa -out "$data/tls/service.key" 2048 2>/dev/null
    local hash
    hash=$(sha256sum <"$data/tls/ca.crt" | cut -d ' ' -f 1)
    printf 'K10%s::server:%s\n' "$hash" "$(setting token)" >"$data/token"
    printf 'K10%s::node:%s\n' "$hash" "$(setting agent-token)" >"$data/agent-token"
    printf '%s,server,1,system:masters\n%s,node,2,system:masters\n' "$(setting token)" "$(setting agent-token)" \
        >"$data/tokens.csv"
    cat >"$etc/k3s.yaml" <<END
apiVersion: v1
kind: Config
clusters:
  - name: default
    cluster:
      server: https://127.0.0.1:6443
      certificate-authority-data: $(base64 -w0 "$data/tls/ca.crt")
users:
  - name: default
    user:
      client-certificate-data: $(base64 -w0 "$data/tls/admin.crt")
      client-key-data: $(base64 -w0 "$data/tls/admin.key")
contexts: [{name: default, context: {cluster: default, user: default}}]
current-context: default
END
    chmod 600 "$etc/k3s.yaml" "$data/token" "$data/agent-token" "$data/tokens.csv"
}

start_control_plane() {
    [[ -s $data/tokens.csv ]] || make_certificates
    "$tools/etcd" --data-dir "$data/db/etcd" --log-level error &
    local arguments=() each
    while read -r each; do arguments+=("--$each"); done < <(settings kube-apiserver-arg)
    cat "$data/tls/server.crt" "$data/tls/ca.crt" >"$data/tls/chain.crt"
    "$tools/kube-apiserver" --etcd-servers http://127.0.0.1:2379 --secure-port 6443 --advertise-address "$(setting node-ip)" \
        --service-cluster-ip-range 10.43.0.0/16 --service-account-issuer https://kubernetes.default.svc \
        --service-account-key-file "$data/tls/service.key" --service-account-signing-key-file "$data/tls/service.key" \
        --tls-cert-file "$data/tls/chain.crt" --tls-private-key-file "$data/tls/server.key" \
        --client-ca-file "$data/tls/ca.crt" --token-auth-file "$data/tokens.csv" --authorization-mode RBAC \
        "${arguments[@]}" &
    until kubectl get --raw /readyz >/dev/null 2>&1; do
        [[ $(jobs -rp | wc -l) == 2 ]] || refuse "the control plane ended"
        read -rt 1 <> <(:) || true
    done
}

kubectl() { "$tools/kubectl" --kubeconfig "${KUBECONFIG:-$etc/k3s.yaml}" "$@"; }

# Checks the token as k3s does, and leaves a kubeconfig that uses it.
join() { # ROLE
    local token server hash ca
    token=$(setting token) server=$(setting server)
    [[ $token =~ ^K10([0-9a-f]{64})::(server|node):(.+)$ ]] || refuse "the token has no CA hash"
    hash=${BASH_REMATCH[1]} token=${BASH_REMATCH[3]} ca=$(mktemp)
    openssl s_client -showcerts -connect "${server#https://}" </dev/null 2>/dev/null |
        awk '/BEGIN CERT/ { text = "" } { text = text $0 "\n" } /END CERT/ { last = text } END { printf "%s", last }' \
            >"$ca"
    [[ $(sha256sum <"$ca" | cut -d ' ' -f 1) == "$hash" ]] || refuse "token CA hash does not match the server's CA"
    mkdir -p /var/lib/rancher/k3s/agent
    KUBECONFIG=/var/lib/rancher/k3s/agent/kubeconfig
    cat >$KUBECONFIG <<END
apiVersion: v1
kind: Config
clusters: [{name: d, cluster: {server: "$server", certificate-authority-data: $(base64 -w0 "$ca")}}]
users: [{name: d, user: {token: "$token"}}]
contexts: [{name: d, context: {cluster: d, user: d}}]
current-context: d
END
    kubectl get --raw /readyz >/dev/null || refuse "not authorized: the token is not the cluster's"
    if [[ $1 == server ]]; then
        mkdir -p "$data/db/snapshots"
        setting token >"$data/token"
        cp "$KUBECONFIG" "$etc/k3s.yaml"
        chmod 600 "$data/token" "$etc/k3s.yaml"
    fi
}

register() {
    local name role=$1
    name=$(setting node-name)
    kubectl apply -f - >/dev/null <<END
{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "$name", "labels": {"kubernetes.io/hostname": "$name"
$([[ $role != server ]] || echo ', "node-role.kubernetes.io/control-plane": "true"')}}}
END
    kubectl patch node "$name" --subresource=status --type=merge --patch "{\"status\": {
        \"conditions\": [{\"type\": \"Ready\", \"status\": \"True\", \"reason\": \"StandIn\"}],
        \"addresses\": [{\"type\": \"InternalIP\", \"address\": \"$(setting node-ip)\"}],
        \"nodeInfo\": {\"kubeletVersion\": \"$version\", \"architecture\": \"amd64\", \"bootID\": \"\",
            \"containerRuntimeVersion\": \"\", \"kernelVersion\": \"\", \"kubeProxyVersion\": \"\", \"machineID\": \"\",
            \"operatingSystem\": \"linux\", \"osImage\": \"\", \"systemUUID\": \"\"}}}" >/dev/null
    # The API server sets it on a new node, and the controller manager takes it from one that is Ready.
    kubectl taint node "$name" node.kubernetes.io/not-ready- >/dev/null 2>&1 || true
}

case ${1:-} in
    kubectl)
        shift
        export KUBECONFIG=${KUBECONFIG:-$etc/k3s.yaml}
        exec "$tools/kubectl" "$@"
        ;;
    --version) echo "k3s version $version (stand-in)" ;;
    server | agent)
        trap 'kill -9 $(jobs -p) 2>/dev/null; wait; exit 0' TERM INT
        if [[ $1 == server && $(setting cluster-init) == true ]]; then start_control_plane; else join "$1"; fi
        register "$1"
        systemd-notify --ready || true
        sleep infinity &
        wait
        ;;
    *) refuse "the stand-in does not know: $*" ;;
esac
