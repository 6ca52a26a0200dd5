#!/bin/sh
# Starts what `hack/power off` stopped, once, when a server is on again: databases first, then the tiers in order. Every
# server may run it at the same time.
set -eu
unit=hearth-power-on.service

kubectl() { k3s kubectl "$@" < /dev/null; }

until kubectl get --raw /readyz > /dev/null 2>&1; do
    sleep 5
done
steps=$(kubectl get --namespace kube-system configmap/power-off --ignore-not-found --output 'jsonpath={.data.steps}')
while read -r action namespace object replicas; do
    [ -n "$action" ] || continue
    # It may have been deleted since. Any other error ends this run, and the unit starts the next one.
    found=$(kubectl get --namespace "$namespace" "$object" --ignore-not-found --output name)
    [ -n "$found" ] || continue
    case $action in
        scale) kubectl scale --namespace "$namespace" "$object" --replicas="$replicas" ;;
        resume) kubectl patch --namespace "$namespace" "$object" --patch '{"spec":{"suspend":false}}' ;;
        reconcile) kubectl annotate --namespace "$namespace" "$object" argocd.argoproj.io/skip-reconcile- ;;
        # The rest also starts if one does not become ready: services wait for their dependencies themselves.
        wait) kubectl rollout status --namespace "$namespace" "$object" --timeout=300s || true ;;
    esac
done << END
$steps
END
kubectl delete --namespace kube-system configmap/power-off --ignore-not-found
systemctl disable --quiet "$unit"
rm -f "/etc/systemd/system/$unit" "$0"
