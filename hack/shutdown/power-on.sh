#!/bin/sh
# Starts what `hack/power off` stopped, once, when a server is on again: databases first, then the tiers in order. Every
# server may run it at the same time.
set -eu

unit=hearth-power-on.service
record="--namespace kube-system configmap/power-off"

until k3s kubectl get --raw /readyz > /dev/null 2>&1; do
    sleep 5
done

# $record is two words of options.
# shellcheck disable=SC2086
k3s kubectl get $record --ignore-not-found --output 'jsonpath={.data.steps}' \
    | while read -r action namespace object replicas; do
        in_namespace="--namespace $namespace"
        # It may have been deleted since.
        # shellcheck disable=SC2086
        if [ -z "$(k3s kubectl get $in_namespace "$object" --ignore-not-found --output name < /dev/null)" ]; then
            continue
        fi
        # shellcheck disable=SC2086
        case $action in
            scale) k3s kubectl scale $in_namespace "$object" --replicas="$replicas" ;;
            resume) k3s kubectl patch $in_namespace "$object" --patch '{"spec":{"suspend":false}}' ;;
            reconcile) k3s kubectl annotate $in_namespace "$object" argocd.argoproj.io/skip-reconcile- ;;
            # The rest starts too when one does not become ready: it waits for it by itself.
            wait) k3s kubectl rollout status $in_namespace "$object" --timeout=300s || true ;;
        esac < /dev/null
    done

# shellcheck disable=SC2086
k3s kubectl delete $record --ignore-not-found
systemctl disable --quiet "$unit"
rm -f "/etc/systemd/system/$unit" "$0"
