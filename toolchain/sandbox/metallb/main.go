// Runs MetalLB's controller on a shared machine. The build adds the files of upstream's own main package to this one.
package main

import (
	"os"
	"strconv"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	_ "go.universe.tf/metallb/internal/k8s"
)

// Upstream listens for webhooks and probes on every address, for the former at the fixed port 9443.
func init() {
	create := ctrl.NewManager
	ctrl.NewManager = func(config *rest.Config, options manager.Options) (manager.Manager, error) {
		port, err := strconv.Atoi(os.Getenv("HEARTH_WEBHOOK_PORT"))
		if err != nil {
			return nil, err
		}
		server := options.WebhookServer.(*webhook.DefaultServer)
		server.Options.Host, server.Options.Port = "127.0.0.1", port
		options.HealthProbeBindAddress = "0"
		return create(config, options)
	}
}
