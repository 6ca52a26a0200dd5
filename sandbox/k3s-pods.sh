# shellcheck shell=bash
# The half of the k3s stand-in that runs pods, where the machine finds a kubelet under /opt/tools: containerd, kubelet,
# kube-proxy, flannel and kube-router, with the paths and defaults of k3s. k3s-stand-in.sh sources it.
: "${tools:?}" "${etc:?}" "${version:?}" "${data:?}"

agent=/var/lib/rancher/k3s/agent
run=/run/k3s
pod_network=10.42.0.0/16
service_network=10.43.0.0/16
dns_address=10.43.0.10

components=()
# component PROGRAM ARGUMENT...: starts a part of k3s; k3s ends when it ends.
component() {
    setpriv --pdeathsig KILL "$@" &
    components+=("$!")
}
# wait_for COMMAND ARGUMENT...: waits until it succeeds, and ends k3s if a part of it ends first.
wait_for() {
    local pid
    until "$@" >/dev/null 2>&1; do
        for pid in "${components[@]}"; do
            kill -0 "$pid" 2>/dev/null || refuse "a part of k3s ended"
        done
        read -rt 0.2 <> <(:) || true
    done
}

# Arguments of an API server whose nodes have kubelets.
# shellcheck disable=SC2034 # k3s-stand-in.sh uses it
pod_api_arguments=(--allow-privileged --enable-admission-plugins NodeRestriction
    --kubelet-preferred-address-types InternalIP
    --kubelet-certificate-authority "$data/tls/ca.crt" --kubelet-client-certificate "$data/tls/kubelet-client.crt"
    --kubelet-client-key "$data/tls/kubelet-client.key" --requestheader-client-ca-file "$data/tls/front-proxy-ca.crt"
    --requestheader-allowed-names front-proxy --requestheader-username-headers X-Remote-User
    --requestheader-group-headers X-Remote-Group --requestheader-extra-headers-prefix X-Remote-Extra-
    --proxy-client-cert-file "$data/tls/front-proxy.crt" --proxy-client-key-file "$data/tls/front-proxy.key")

make_pod_certificates() {
    certificate kubelet-client /O=system:masters/CN=kube-apiserver
    certificate front-proxy /CN=front-proxy "" front-proxy-ca
}

start_controllers() {
    local arguments=() each clients
    clients=("--kubeconfig=$etc/k3s.yaml" "--authentication-kubeconfig=$etc/k3s.yaml"
        "--authorization-kubeconfig=$etc/k3s.yaml" --bind-address=127.0.0.1)
    while read -r each; do arguments+=("--$each"); done < <(settings kube-controller-manager-arg)
    component "$tools/kube-controller-manager" "${clients[@]}" --use-service-account-credentials \
        --service-account-private-key-file "$data/tls/service.key" --root-ca-file "$data/tls/ca.crt" \
        --cluster-signing-cert-file "$data/tls/ca.crt" --cluster-signing-key-file "$data/tls/ca.key" \
        --allocate-node-cidrs --cluster-cidr "$pod_network" --service-cluster-ip-range "$service_network" \
        "${arguments[@]}"
    component "$tools/kube-scheduler" "${clients[@]}"
}

# The manifests that k3s deploys from this folder into every cluster.
deploy_addons() {
    mkdir -p "$data/manifests"
    cp "$tools"/manifests/*.yaml "$data/manifests/"
    kubectl apply --filename "$data/manifests" >/dev/null
}

# Installs Traefik's chart with k3s' values and those of the HelmChartConfig, and again whenever these change.
keep_traefik() {
    local values installed=none
    cat >"$data/traefik.yaml" <<END
deployment: {podAnnotations: {prometheus.io/port: "8082", prometheus.io/scrape: "true"}}
providers: {kubernetesIngress: {publishedService: {enabled: true}}}
priorityClassName: system-cluster-critical
image: {registry: docker.io, repository: rancher/mirrored-library-traefik, tag: $(<"$tools/charts/traefik-version")}
tolerations:
  - {key: CriticalAddonsOnly, operator: Exists}
  - {key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule}
service: {ipFamilyPolicy: PreferDualStack}
END
    while true; do
        if values=$(kubectl --namespace kube-system get helmchartconfig traefik --ignore-not-found \
            -o 'jsonpath={.spec.valuesContent}') && [[ $values != "$installed" ]] &&
            "$tools/helm3" --kubeconfig "$etc/k3s.yaml" upgrade --install traefik "$tools/charts/traefik" \
                --namespace kube-system --values "$data/traefik.yaml" --values <(printf '%s\n' "$values") >/dev/null; then
            installed=$values
        fi
        read -rt 2 <> <(:) || true
    done
}

# signed NAME SIGNER USAGE SUBJECT [EXTENSION]: a certificate of this node, by the controller manager.
signed() {
    local request certificate
    [[ ! -s $agent/$1.crt ]] || return 0
    request=$1-$(setting node-name)
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$agent/$1.key" -subj "$4" \
        ${5:+-addext "$5"} -out "$agent/$1.csr" 2>/dev/null
    kubectl delete csr "$request" --ignore-not-found >/dev/null
    kubectl apply --filename - >/dev/null <<END
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: $request}
spec: {request: $(base64 -w0 "$agent/$1.csr"), signerName: $2, usages: [digital signature, $3 auth]}
END
    kubectl certificate approve "$request" >/dev/null
    kubectl wait --for 'jsonpath={.status.certificate}' --timeout 60s "csr/$request" >/dev/null
    certificate=$(kubectl get csr "$request" -o 'jsonpath={.status.certificate}')
    base64 -d <<<"$certificate" >"$agent/$1.crt"
}

# A folder per registry in k3s' registries.yaml, as containerd reads them.
mirror_registries() {
    python3 - "$etc/registries.yaml" "$agent/etc/containerd/certs.d" <<'END'
import os, re, sys
source, target = sys.argv[1:]
# mirrors: one name per registry, its endpoints in a list below; supports only the YAML that the tests write.
registry, mirrors = None, {}
for line in open(source) if os.path.exists(source) else []:
    if found := re.match(r'  "?([^\s"]+?)"?:\s*$', line): registry = mirrors.setdefault(found[1], [])
    elif found := re.match(r'\s+- "?(https?://[^\s"]+)"?', line): registry.append(found[1])
for name, endpoints in mirrors.items():
    folder = os.path.join(target, "_default" if name == "*" else name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "hosts.toml"), "w") as hosts:
        hosts.writelines(f'[host."{each}"]\n  capabilities = ["pull", "resolve"]\n' for each in endpoints)
END
}

start_containerd() {
    local bin=/var/lib/rancher/k3s/data/current/bin program
    mkdir -p "$agent/etc/containerd/certs.d" "$agent/etc/cni/net.d" "$agent/images" "$run" "/var/lib/rancher/k3s/data/$version/bin"
    ln -sfT "$version" /var/lib/rancher/k3s/data/current
    for program in "$tools"/cni/* /usr/bin/containerd-shim-runc-v2 /usr/sbin/runc; do ln -sf "$program" "$bin/"; done
    mirror_registries
    # AppArmor's profiles and a lower OOM score need rights that a nested machine may not have.
    cat >"$agent/etc/containerd/config.toml" <<END
version = 2
root = "$agent/containerd"
state = "$run/containerd"
[grpc]
  address = "$run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "rancher/mirrored-pause:3.6"
  disable_apparmor = true
  restrict_oom_score_adj = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$bin"
    conf_dir = "$agent/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$agent/etc/containerd/certs.d"
END
    PATH=$bin:$PATH component /usr/bin/containerd --config "$agent/etc/containerd/config.toml" --log-level warn
    wait_for ctr version
    local archive
    for archive in "$agent"/images/*.tar; do
        [[ ! -e $archive ]] || ctr --namespace k8s.io images import "$archive" >/dev/null
    done
}

ctr() { /usr/bin/ctr --address "$run/containerd/containerd.sock" "$@"; }

start_kubelet() {
    local name ip arguments=() each resolver=/etc/resolv.conf version_1=
    name=$(setting node-name) ip=$(setting node-ip)
    kubectl config view --raw --minify -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}' | base64 -d >"$agent/ca.crt"
    signed kubelet kubernetes.io/kube-apiserver-client-kubelet client "/O=system:nodes/CN=system:node:$name"
    signed serving kubernetes.io/kubelet-serving server "/O=system:nodes/CN=system:node:$name" "subjectAltName=DNS:$name,IP:$ip"
    cat >"$agent/kubelet.kubeconfig" <<END
apiVersion: v1
kind: Config
clusters: [{name: d, cluster: {certificate-authority: $agent/ca.crt, server: "$(kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}')"}}]
users: [{name: d, user: {client-certificate: $agent/kubelet.crt, client-key: $agent/kubelet.key}}]
contexts: [{name: d, context: {cluster: d, user: d}}]
current-context: d
END
    # Pods cannot use a resolver on the node itself: k3s then uses this one.
    if ! grep -E '^nameserver' $resolver | grep -qvE ' (127\.|::1)'; then
        resolver=$agent/etc/resolv.conf
        echo "nameserver 8.8.8.8" >"$resolver"
    fi
    [[ -e /sys/fs/cgroup/memory ]] && version_1="failCgroupV1: false"
    cat >"$agent/etc/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
$version_1
cgroupDriver: cgroupfs
containerRuntimeEndpoint: unix://$run/containerd/containerd.sock
clusterDNS: [$dns_address]
clusterDomain: cluster.local
resolvConf: $resolver
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $agent/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $agent/serving.crt
tlsPrivateKeyFile: $agent/serving.key
failSwapOn: false
serializeImagePulls: false
evictionHard: {imagefs.available: 5%, nodefs.available: 5%}
evictionMinimumReclaim: {imagefs.available: 10%, nodefs.available: 10%}
protectKernelDefaults: $([[ $(setting protect-kernel-defaults) == true ]] && echo true || echo false)
volumePluginDir: $agent/kubelet-plugins
END
    while read -r each; do arguments+=("--$each"); done < <(settings kubelet-arg)
    each=$(settings node-taint | paste -sd,)
    component "$tools/kubelet-$version" --config "$agent/etc/kubelet.yaml" --kubeconfig "$agent/kubelet.kubeconfig" \
        --node-ip "$ip" --hostname-override "$name" ${each:+--register-with-taints "$each"} "${arguments[@]}"
}

start_network() {
    local name kubeconfig=${KUBECONFIG:-$etc/k3s.yaml}
    name=$(setting node-name)
    cat >"$agent/etc/kube-proxy.yaml" <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: $pod_network
hostnameOverride: $name
clientConnection: {kubeconfig: $kubeconfig}
# The limits belong to the kernel, which all machines share.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
END
    component "$tools/kube-proxy" --config "$agent/etc/kube-proxy.yaml"
    cat >"$agent/etc/flannel.json" <<END
{"Network": "$pod_network", "EnableIPv4": true, "Backend": {"Type": "vxlan"}}
END
    NODE_NAME=$name component "$tools/pod-network" -kubeconfig "$kubeconfig" -node "$name" -address "$(setting node-ip)" \
        -network "$agent/etc/flannel.json" -services "$service_network"
    wait_for test -s /run/flannel/subnet.env
    local FLANNEL_SUBNET FLANNEL_MTU
    # shellcheck disable=SC1091 # written by flannel
    . /run/flannel/subnet.env
    cat >"$agent/etc/cni/net.d/.new" <<END
{"cniVersion": "1.0.0", "name": "cbr0", "plugins": [
    {"type": "bridge", "bridge": "cni0", "mtu": $FLANNEL_MTU, "isDefaultGateway": true, "hairpinMode": true, "forceAddress": true,
     "ipam": {"type": "host-local", "ranges": [[{"subnet": "${FLANNEL_SUBNET/.1\//.0\/}"}]], "routes": [{"dst": "$pod_network"}]}},
    {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
    mv "$agent/etc/cni/net.d/.new" "$agent/etc/cni/net.d/10-flannel.conflist"
}

# Makes this machine a node that runs pods.
run_pods() { # ROLE
    local name
    name=$(setting node-name)
    start_containerd
    start_kubelet
    wait_for kubectl get node "$name"
    [[ $1 != server ]] || kubectl label --overwrite node "$name" node-role.kubernetes.io/control-plane=true >/dev/null
    start_network
    if [[ $1 == server ]]; then
        deploy_addons
        while true; do
            remove_members
            read -rt 5 <> <(:) || true
        done &
        # One server deploys the objects of the whole cluster.
        [[ $(setting cluster-init) != true ]] || keep_traefik &
    fi
}
