#!/bin/bash
# Stands in for k3s where the real one cannot be downloaded. It reads config.yaml, checks the token and the CA's hash in
# it, runs as the unit, starts a real etcd and API server (bind-mounted under /opt/tools) on each server, all members of
# one etcd, and registers the machine as a Node. With a kubelet under /opt/tools the node runs pods: see k3s-pods.sh. A
# joining server reads from a Secret what k3s serves over HTTPS, and a reset reads there what k3s has encrypted in the
# datastore. A member of etcd whose Node was deleted is removed when the next server joins (k3s does it at once).
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
    exit 1
}
# However it ends: systemd kills only this process (KillMode=process), and parts of an earlier start would keep the ports of
# the next one, and query its API server.
trap 'kill -9 $(jobs -p) 2>/dev/null || true; wait' EXIT

runs_pods() { [[ -x $tools/kubelet-$version ]]; }

certificate() { # NAME SUBJECT [EXTENSION [CA]]
    local ca=$data/tls/${4:-ca}
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$data/tls/$1.key" -subj "$2" 2>/dev/null |
        openssl x509 -req -CA "$ca.crt" -CAkey "$ca.key" -days 365 -out "$data/tls/$1.crt" \
            -extfile <(printf '%s' "${3:-}") 2>/dev/null
}

# Files that all servers share.
shared=(tls/ca.crt tls/ca.key tls/front-proxy-ca.crt tls/front-proxy-ca.key tls/service.key token agent-token tokens.csv)

make_cluster() {
    local ca
    # Two authorities: otherwise, a client of the API could act as the front proxy.
    for ca in ca front-proxy-ca; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -keyout "$data/tls/$ca.key" \
            -out "$data/tls/$ca.crt" -subj "/CN=k3s-stand-in-$ca" 2>/dev/null
    done
    openssl genrsa -out "$data/tls/service.key" 2048 2>/dev/null
    local hash
    hash=$(sha256sum <"$data/tls/ca.crt" | cut -d ' ' -f 1)
    printf 'K10%s::server:%s\n' "$hash" "$(setting token)" >"$data/token"
    printf 'K10%s::node:%s\n' "$hash" "$(setting agent-token)" >"$data/agent-token"
    printf '%s,server,1,system:masters\n%s,node,2,system:masters\n' "$(setting token)" "$(setting agent-token)" \
        >"$data/tokens.csv"
}

make_certificates() {
    local names
    # k3s adds the node's own address.
    names=$(settings tls-san | sed -E 's/^[0-9.]+$/IP:&/; t; s/^/DNS:/' | paste -sd,)
    certificate server /CN=server \
        "subjectAltName=IP:127.0.0.1,IP:$(setting node-ip),IP:10.43.0.1,DNS:kubernetes.default.svc,DNS:kubernetes.default${names:+,$names}"
    ! runs_pods || make_pod_certificates
    # k3s renews it in the last 90 days of its 365.
    ! openssl x509 -checkend $((90 * 86400)) -in "$data/tls/admin.crt" >/dev/null 2>&1 || return 0
    certificate admin /O=system:masters/CN=admin
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

etcd_at() { # ADDRESS PATH BODY
    curl --fail --silent --max-time 10 --data "$3" "http://$1:2379/v3/cluster/member/$2"
}

remove_member() { # ADDRESS NAME
    local members id
    members=$(etcd_at "$1" list '{}') || return
    id=$(python3 -c 'import json, sys
print(*[each["ID"] for each in json.loads(sys.argv[1])["members"] if each.get("name") == sys.argv[2]])' "$members" "$2")
    [[ -z $id ]] || etcd_at "$1" remove "{\"ID\": \"$id\"}" >/dev/null
}

# Adds this server to the members of etcd, and prints all of them, as etcd requires.
become_member() {
    local nodes each address id tries
    nodes=$(kubectl get nodes -l node-role.kubernetes.io/control-plane \
        -o 'jsonpath={range .items[*]}{.metadata.name}={.status.addresses[0].address} {end}')
    for each in $nodes; do
        address=${each#*=}
        ! etcd_at "$address" list '{}' >"$data/members" || break
    done
    [[ -s $data/members ]] || refuse "etcd cluster join failed: no member answers"
    # A member without a first start is from an earlier attempt.
    for id in $(python3 -c 'import json, sys
for each in json.load(open(sys.argv[1]))["members"]:
    if each.get("name") not in sys.argv[2].replace("=", " ").split(): print(each["ID"])' "$data/members" "$nodes"); do
        etcd_at "$address" remove "{\"ID\": \"$id\"}" >/dev/null
    done
    # In a datastore that was restored, the node may exist without a member.
    ! etcd_at "$address" list '{}' | grep -q "\"name\":\"$(setting node-name)\"" ||
        refuse "etcd cluster join failed: duplicate node name found"
    # Not before etcd has found the remaining members healthy for some seconds.
    for ((tries = 0; tries < 60; tries++)); do
        if etcd_at "$address" add "{\"peerURLs\": [\"http://$(setting node-ip):2380\"]}" >"$data/members"; then
            python3 -c 'import json, sys
print(",".join((each.get("name") or sys.argv[2]) + "=" + each["peerURLs"][0]
    for each in json.load(open(sys.argv[1]))["members"]))' "$data/members" "$(setting node-name)"
            return
        fi
        read -rt 1 <> <(:) || true
    done
    refuse "etcd takes no new member"
}

start_control_plane() { # STATE MEMBERS [OPTION OF ETCD]
    unset KUBECONFIG
    make_certificates
    local ip
    ip=$(setting node-ip)
    "$tools/etcd" --data-dir "$data/db/etcd" --log-level error --name "$(setting node-name)" \
        --listen-client-urls "http://127.0.0.1:2379,http://$ip:2379" --advertise-client-urls "http://$ip:2379" \
        --listen-peer-urls "http://$ip:2380" --initial-advertise-peer-urls "http://$ip:2380" \
        --initial-cluster "$2" --initial-cluster-state "$1" "${@:3}" &
    local arguments=() each
    ! runs_pods || arguments=("${pod_api_arguments[@]}")
    while read -r each; do arguments+=("--$each"); done < <(settings kube-apiserver-arg)
    cat "$data/tls/server.crt" "$data/tls/ca.crt" >"$data/tls/chain.crt"
    "$tools/kube-apiserver" --etcd-servers http://127.0.0.1:2379 --secure-port 6443 --advertise-address "$(setting node-ip)" \
        --service-cluster-ip-range 10.43.0.0/16 --service-account-issuer https://kubernetes.default.svc \
        --service-account-key-file "$data/tls/service.key" --service-account-signing-key-file "$data/tls/service.key" \
        --tls-cert-file "$data/tls/chain.crt" --tls-private-key-file "$data/tls/server.key" \
        --client-ca-file "$data/tls/ca.crt" --token-auth-file "$data/tokens.csv" --authorization-mode Node,RBAC \
        "${arguments[@]}" &
    until kubectl get --raw /readyz >/dev/null 2>&1; do
        [[ $(jobs -rp | wc -l) == 2 ]] || refuse "the control plane ended"
        read -rt 1 <> <(:) || true
    done
    # etcd itself would start with another address than its members know.
    [[ ${3:-} == --force-new-cluster || $(etcd_at 127.0.0.1 list '{}') == *"\"http://$ip:2380\""* ]] ||
        refuse "this server is a not a member of the etcd cluster, expect: $(setting node-name)=http://$ip:2380"
}

kubectl() { "$tools/kubectl" --kubeconfig "${KUBECONFIG:-$etc/k3s.yaml}" "$@"; }

# Reads the files that all servers share from the datastore.
read_shared() {
    local name
    for name in "${shared[@]}"; do
        (umask 077 && kubectl --namespace kube-system get secret k3s-stand-in \
            -o "go-template={{index .data \"${name//\//.}\"}}" | base64 -d >"$data/$name.new")
    done
}

# The first server, or a former server: it can start alone, but needs a majority of etcd.
serve() {
    mkdir -p "$data/tls" "$data/db/snapshots" "$data/logs"
    if [[ -d $data/db/etcd ]]; then
        start_control_plane existing "$(setting node-name)=http://$(setting node-ip):2380"
        return
    fi
    local name bundle=()
    for name in "${shared[@]}"; do bundle+=("--from-file=${name//\//.}=$data/$name"); done
    if [[ $(setting cluster-init) == true ]]; then
        make_cluster
        start_control_plane new "$(setting node-name)=http://$(setting node-ip):2380"
        kubectl --namespace kube-system create secret generic k3s-stand-in "${bundle[@]}" >/dev/null
    else
        local members
        read_shared
        # From here until its etcd runs, a second member leaves the first without a majority.
        members=$(become_member)
        for name in "${shared[@]}"; do mv "$data/$name.new" "$data/$name"; done
        start_control_plane existing "$members"
    fi
}

# Writes a snapshot of the datastore, as etcd streams it: pieces in base64, one JSON object each.
save_snapshot() {
    local file
    file=$data/db/snapshots/on-demand-$(setting node-name)-$(date +%s)
    curl --fail --silent --data '{}' http://127.0.0.1:2379/v3/maintenance/snapshot | python3 -c 'import base64, json, sys
for line in sys.stdin: sys.stdout.buffer.write(base64.b64decode(json.loads(line)["result"].get("blob", "")))' >"$file"
    echo "level=info msg=\"Snapshot ${file##*/} saved.\""
}

# Makes this server the only member of its etcd, or of one with the data of a snapshot, and takes what servers share from
# there.
reset_cluster() { # [SNAPSHOT]
    local name members id
    [[ -z $(setting server) ]] ||
        refuse "cannot perform cluster-reset while server URL is set - remove server from configuration before resetting"
    members=$(setting node-name)=http://$(setting node-ip):2380
    if (($# > 0)); then
        [[ -f $1 ]] || refuse "etcd: snapshot path does not exist: $1"
        mv "$data/db/etcd" "$data/db/etcd-old-$(date +%s)"
        "$tools/etcdutl" snapshot restore "$1" --data-dir "$data/db/etcd" --name "${members%%=*}" \
            --initial-cluster "$members" --initial-advertise-peer-urls "${members#*=}" >/dev/null 2>&1 ||
            refuse "etcd: $1 cannot be restored"
    fi
    start_control_plane existing "$members" --force-new-cluster
    id=$(etcd_at 127.0.0.1 list '{}' | python3 -c 'import json, sys; print(json.load(sys.stdin)["members"][0]["ID"])')
    etcd_at 127.0.0.1 update "{\"ID\": \"$id\", \"peerURLs\": [\"${members#*=}\"]}" >/dev/null
    read_shared
    [[ $(<"$data/token.new") == *"::server:$(setting token)" ]] ||
        refuse "bootstrap data already found and encrypted with different token"
    for name in "${shared[@]}"; do mv "$data/$name.new" "$data/$name"; done
    rm "$data/tls/admin.crt" # The CA may be another one.
    echo 'level=info msg="Managed etcd cluster membership has been reset, restart without --cluster-reset flag now."'
}

# Checks the token as k3s does, and leaves a kubeconfig that uses it.
join() {
    local token server hash ca
    token=$(setting token) server=$(setting server)
    [[ $token =~ ^K10([0-9a-f]{64})::(server|node):(.+)$ ]] || refuse "the token has no CA hash"
    hash=${BASH_REMATCH[1]} token=${BASH_REMATCH[3]} ca=$(mktemp)
    openssl s_client -showcerts -connect "${server#https://}" </dev/null 2>/dev/null |
        awk '/BEGIN CERT/ { text = "" } { text = text $0 "\n" } /END CERT/ { last = text } END { printf "%s", last }' \
            >"$ca" || true
    if [[ ! -s $ca ]]; then
        # A former server starts without the others if they are unreachable.
        [[ ! -d $data/db/etcd ]] || return 0
        refuse "failed to get CA certs: $server does not answer"
    fi
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
}

# say_ready NODE STATUS REASON
say_ready() {
    kubectl patch node "$1" --subresource=status --type=merge --patch "{\"status\": {\"conditions\": [{\"type\": \"Ready\",
        \"status\": \"$2\", \"reason\": \"$3\"}]}}" >/dev/null || true
}

# k3s removes a server with this annotation from etcd, and reports it in another one.
remove_members() {
    local node
    for node in $(kubectl get nodes -o 'jsonpath={range .items[?(@.metadata.annotations.etcd\.k3s\.cattle\.io/remove=="true")]}{.metadata.name} {end}'); do
        [[ $node != "$(setting node-name)" ]] || continue
        remove_member "$(setting node-ip)" "$node" || continue
        kubectl annotate node "$node" etcd.k3s.cattle.io/remove- "etcd.k3s.cattle.io/removed-node-name=$node" >/dev/null || true
    done
}

# Marks a node that stops reporting as not Ready, as the controller manager does.
watch_nodes() {
    local node address reason
    while true; do
        remove_members
        while read -r node address reason; do
            if ping -c 1 -W 2 "$address" >/dev/null 2>&1; then
                [[ $reason != NodeStatusUnknown ]] || say_ready "$node" True StandIn
            else
                [[ $reason == NodeStatusUnknown ]] || say_ready "$node" Unknown NodeStatusUnknown
            fi
        done < <(kubectl get nodes -o 'jsonpath={range .items[*]}{.metadata.name} {.status.addresses[0].address} {.status.conditions[0].reason}{"\n"}{end}' || true)
        read -rt 5 <> <(:) || true
    done
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
        \"nodeInfo\": {\"kubeletVersion\": \"$version\", \"architecture\": \"amd64\", \"bootID\": \"$(</proc/sys/kernel/random/boot_id)\",
            \"containerRuntimeVersion\": \"\", \"kernelVersion\": \"\", \"kubeProxyVersion\": \"\", \"machineID\": \"$(</etc/machine-id)\",
            \"operatingSystem\": \"linux\", \"osImage\": \"\", \"systemUUID\": \"\"}}}" >/dev/null
    # The API server sets it on a new node, and the controller manager removes it once the node is Ready.
    kubectl taint node "$name" node.kubernetes.io/not-ready- >/dev/null 2>&1 || true
}

if runs_pods; then
    # shellcheck source=sandbox/k3s-pods.sh
    . "$tools/k3s-pods.sh"
fi

case ${1:-}${2:+ $2} in
    "server --cluster-reset")
        case ${3:-} in
            "") reset_cluster ;;
            --cluster-reset-restore-path=*) reset_cluster "${3#*=}" ;;
            *) refuse "the stand-in does not know: $*" ;;
        esac
        exit
        ;;
    "etcd-snapshot save")
        save_snapshot
        exit
        ;;
esac
case ${1:-} in
    kubectl)
        shift
        export KUBECONFIG=${KUBECONFIG:-$etc/k3s.yaml}
        exec "$tools/kubectl" "$@"
        ;;
    token)
        # k3s makes a bootstrap token that expires; here, agents have one token.
        [[ ${2:-} == create ]] || refuse "the stand-in does not know: $*"
        cat "$data/agent-token"
        ;;
    --version) echo "k3s version $version (stand-in)" ;;
    server | agent)
        trap 'exit 0' TERM INT
        [[ $1 == server && $(setting cluster-init) == true ]] || join
        [[ $1 == agent ]] || serve
        if runs_pods; then
            [[ $1 == agent ]] || start_controllers
            run_pods "$1"
        else
            register "$1"
            if [[ $1 == server ]]; then watch_nodes & else sleep infinity & fi
        fi
        systemd-notify --ready || true
        wait -n || true
        refuse "a part of k3s ended"
        ;;
    *) refuse "the stand-in does not know: $*" ;;
esac
