// pod-network connects the pods of one node as k3s does in its own process: flannel between the nodes, and kube-router's
// controller of NetworkPolicies. Upstream's flanneld has the backends of clouds, whose SDK the module proxy refuses.
package main

import (
	"context"
	"flag"
	"log"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/hostgw"
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan"
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/trafficmngr/iptables"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	annotationPrefix = "flannel.alpha.coreos.com"
	subnetFile       = "/run/flannel/subnet.env"
	resyncSeconds    = 60
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "`file` with access to the API")
	node := flag.String("node", "", "the node's `name`")
	address := flag.String("address", "", "the node's `address`, at whose interface the other nodes reach it")
	network := flag.String("network", "", "`file` with the pods' network and its backend, as net-conf.json")
	services := flag.String("services", "", "the Services' `network`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := connect(ctx, *kubeconfig, *network, *address); err != nil {
		log.Fatal(err)
	}
	if err := enforce(ctx, *kubeconfig, *node, *services); err != nil {
		log.Fatal(err)
	}
	<-ctx.Done()
}

// connect routes packets for the pods of other nodes until ctx ends. The node's name is in NODE_NAME.
func connect(ctx context.Context, kubeconfig, network, address string) error {
	manager, err := kube.NewSubnetManager(ctx, "", kubeconfig, annotationPrefix, network, true)
	if err != nil {
		return err
	}
	config, err := manager.GetNetworkConfig(ctx)
	if err != nil {
		return err
	}
	family, err := ipmatch.GetIPFamily(config.EnableIPv4, config.EnableIPv6)
	if err != nil {
		return err
	}
	external, err := ipmatch.LookupExtIface(address, "", "", family, ipmatch.PublicIPOpts{PublicIP: address})
	if err != nil {
		return err
	}
	chosen, err := backend.NewManager(ctx, manager, external).GetBackend(config.BackendType)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	registered, err := chosen.RegisterNetwork(ctx, &group, config)
	if err != nil {
		return err
	}
	rules := &iptables.IPTablesManager{}
	if err := rules.Init(ctx); err != nil {
		return err
	}
	lease := registered.Lease()
	err = rules.SetupAndEnsureMasqRules(ctx, config.Network, lease.Subnet, config.Network,
		ip.IP6Net{}, ip.IP6Net{}, ip.IP6Net{}, lease, resyncSeconds, false)
	if err != nil {
		return err
	}
	rules.SetupAndEnsureForwardRules(ctx, config.Network, ip.IP6Net{}, resyncSeconds)
	err = manager.HandleSubnetFile(subnetFile, config, true, lease.Subnet, lease.IPv6Subnet, registered.MTU())
	if err != nil {
		return err
	}
	go registered.Run(ctx)
	return manager.CompleteLease(ctx, lease, &group)
}

// enforce applies NetworkPolicies to the node's pods until ctx ends, with k3s' settings.
func enforce(ctx context.Context, kubeconfig, node, services string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	settings := options.NewKubeRouterConfig()
	settings.ClusterIPCIDRs = []string{services}
	settings.EnableIPv4 = true
	settings.HostnameOverride = node
	settings.RunFirewall = true
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	tables, sets, err := netpol.NewIPTablesHandlers(settings)
	if err != nil {
		return err
	}
	controller, err := netpol.NewNetworkPolicyController(client, settings, pods, policies, namespaces, &sync.Mutex{}, tables, sets)
	if err != nil {
		return err
	}
	if _, err := pods.AddEventHandler(controller.PodEventHandler); err != nil {
		return err
	}
	if _, err := namespaces.AddEventHandler(controller.NamespaceEventHandler); err != nil {
		return err
	}
	if _, err := policies.AddEventHandler(controller.NetworkPolicyEventHandler); err != nil {
		return err
	}
	beats := make(chan *healthcheck.ControllerHeartbeat)
	var group sync.WaitGroup
	group.Add(1)
	go controller.Run(beats, ctx.Done(), &group)
	go watch(ctx, beats, 2*settings.IPTablesSyncPeriod)
	return nil
}

// watch ends the process when the controller has done nothing for that long.
func watch(ctx context.Context, beats <-chan *healthcheck.ControllerHeartbeat, limit time.Duration) {
	for {
		select {
		case <-beats:
		case <-ctx.Done():
			return
		case <-time.After(limit):
			log.Fatal("NetworkPolicies have not been applied for ", limit)
		}
	}
}
