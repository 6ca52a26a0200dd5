module hearth/toolchain/charts

go 1.26.0

require (
	github.com/argoproj/argo-helm v0.0.0-20260904222229-3bbb4305eea9
	github.com/cert-manager/cert-manager v1.21.2
	github.com/traefik/traefik-helm-chart v41.6.0+incompatible
	go.universe.tf/metallb v0.16.2
	sigs.k8s.io/descheduler v0.36.0
)
