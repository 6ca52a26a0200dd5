// Part of the module above; its path lets it import MetalLB's internal packages.
module go.universe.tf/metallb/hearth/metallb-controller

go 1.26.0

require (
	go.universe.tf/metallb v0.16.2
	k8s.io/client-go v0.36.3
	sigs.k8s.io/controller-runtime v0.24.1
)
