// Runs cert-manager's controller, webhook, CA injector or check of the API, which the first argument names: in a pod as
// upstream does, and with KUBECONFIG as a process that shares its machine, on loopback and without ports for probes and
// metrics. Upstream's own commands are modules without a published version; the packages behind them are not. The
// issuers Vault and Venafi are omitted.
package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	kubernetes "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	logsapi "k8s.io/component-base/logs/api/v1"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	corev1 "k8s.io/api/core/v1"

	webhooks "github.com/cert-manager/cert-manager/internal/webhook"
	apiutil "github.com/cert-manager/cert-manager/pkg/api/util"
	v1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	metav1 "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	certmanager "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/scheme"
	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/ingresses"
	"github.com/cert-manager/cert-manager/pkg/controller/certificaterequests"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	"github.com/cert-manager/cert-manager/pkg/issuer"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	"github.com/cert-manager/cert-manager/pkg/util/cmapichecker"
	"github.com/cert-manager/cert-manager/pkg/util/pki"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
	"github.com/cert-manager/cert-manager/pkg/webhook/server"
)

// Addresses at which pods serve metrics, and the controller its health: those of upstream's defaults.
const (
	metricsAddress = ":9402"
	healthAddress  = ":9403"
)

// True if only this process uses the address, as in a pod.
var alone = os.Getenv("KUBECONFIG") == ""

// Replaces an ACME server, which would not sign for a sandbox: an issuer is ready at once, and an untrusted CA signs.
type acme struct {
	authority *x509.Certificate
	key       crypto.Signer
}

func newACME() (*acme, error) {
	key, err := pki.GenerateECPrivateKey(256)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "ACME in the sandbox"},
		NotBefore:             now,
		NotAfter:              now.AddDate(1, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	_, authority, err := pki.SignCertificate(template, template, key.Public(), key)
	return &acme{authority, key}, err
}

func (*acme) Setup(_ context.Context, issuer v1.GenericIssuer) error {
	apiutil.SetIssuerCondition(issuer, issuer.GetGeneration(), v1.IssuerConditionReady, metav1.ConditionTrue,
		"ACMEAccountRegistered", "no ACME server is used in the sandbox")
	return nil
}

func (a *acme) Sign(_ context.Context, request *v1.CertificateRequest, _ v1.GenericIssuer) (*issuer.IssueResponse, error) {
	template, err := pki.CertificateTemplateFromCertificateRequest(request)
	if err != nil {
		return nil, err
	}
	bundle, err := pki.SignCSRTemplate([]*x509.Certificate{a.authority}, a.key, template)
	return &issuer.IssueResponse{Certificate: bundle.ChainPEM}, err
}

func registerACME() error {
	server, err := newACME()
	if err != nil {
		return err
	}
	issuer.RegisterIssuer(apiutil.IssuerACME, func(*controller.Context) (issuer.Interface, error) { return server, nil })
	name := "certificaterequests-issuer-acme"
	controller.Register(name, func(factory *controller.ContextFactory) (controller.Interface, error) {
		requests := certificaterequests.New(apiutil.IssuerACME, func(*controller.Context) certificaterequests.Issuer {
			return server
		})
		return controller.NewBuilder(factory, name).For(requests).Complete()
	})
	return nil
}

// Parses a container's arguments, its logging flags among them.
func parse(flags *pflag.FlagSet, args []string) error {
	logging := logsapi.NewLoggingConfiguration()
	logf.AddFlags(logging, flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	return logf.ValidateAndApply(logging)
}

// The defaults are those of internal/apis/config/controller/v1alpha1, which imports packages that are omitted here.
func runControllers(ctx context.Context, flags *pflag.FlagSet, args []string) error {
	settings := controller.ContextOptions{
		Kubeconfig: os.Getenv("KUBECONFIG"),
		// No client-side limit, as with an API server that has priority and fairness, which kwok disables.
		KubernetesAPIQPS: -1,
		IssuerOptions:    controller.IssuerOptions{ClusterIssuerAmbientCredentials: true},
		IngressShimOptions: controller.IngressShimOptions{
			DefaultIssuerKind:                 "Issuer",
			DefaultIssuerGroup:                "cert-manager.io",
			DefaultAutoCertificateAnnotations: []string{"kubernetes.io/tls-acme"},
		},
		CertificateOptions: controller.CertificateOptions{
			CopiedAnnotationPrefixes:                 []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"},
			CertificateRequestMinimumBackoffDuration: time.Hour,
			CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
		},
	}
	flags.StringVar(&settings.ClusterResourceNamespace, "cluster-resource-namespace", "kube-system", "")
	flags.StringVar(&settings.HTTP01SolverImage, "acme-http01-solver-image", "", "")
	flags.StringSliceVar(&settings.DNS01Nameservers, "dns01-recursive-nameservers", nil, "")
	flags.Bool("dns01-recursive-nameservers-only", false, "")
	flags.IntVar(&settings.MaxConcurrentChallenges, "max-concurrent-challenges", 60, "")
	flags.String("leader-election-namespace", "", "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := registerACME(); err != nil {
		return err
	}
	factory, err := controller.NewContextFactory(ctx, settings)
	if err != nil {
		return err
	}
	base, err := factory.Build()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	if alone {
		if err := serveState(ctx, group, base); err != nil {
			return err
		}
	}
	for name, create := range controller.Known() {
		each, err := create(factory)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		group.Go(func() error { return each.Run(5, ctx) })
	}
	base.SharedInformerFactory.Start(ctx.Done())
	base.KubeSharedInformerFactory.Start(ctx.Done())
	base.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return group.Wait()
}

// Serves metrics and health until ctx ends.
func serveState(ctx context.Context, group *errgroup.Group, base *controller.Context) error {
	metricsListener, err := net.Listen("tcp", metricsAddress)
	if err != nil {
		return err
	}
	healthListener, err := net.Listen("tcp", healthAddress)
	if err != nil {
		return err
	}
	served := base.Metrics.NewServer(metricsListener)
	group.Go(func() error {
		if err := served.Serve(metricsListener); err != http.ErrServerClosed {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return served.Close()
	})
	group.Go(func() error { return healthz.NewServer(time.Minute).Start(ctx, healthListener) })
	return nil
}

func runWebhook(ctx context.Context, flags *pflag.FlagSet, args []string) error {
	settings, err := options.NewWebhookConfiguration()
	if err != nil {
		return err
	}
	options.AddConfigFlags(flags, settings)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := logf.ValidateAndApply(&settings.Logging); err != nil {
		return err
	}
	settings.KubeConfig = os.Getenv("KUBECONFIG")
	adapt := func(each *server.Server) {
		if !alone {
			each.HealthzAddr = nil
		}
	}
	served, err := webhooks.NewCertManagerWebhookServer(logf.Log, *settings, adapt)
	if err != nil {
		return err
	}
	if !alone {
		create := ctrl.NewManager
		ctrl.NewManager = func(config *rest.Config, settings manager.Options) (manager.Manager, error) {
			// Upstream listens on every address.
			settings.WebhookServer.(*webhook.DefaultServer).Options.Host = "127.0.0.1"
			return create(config, settings)
		}
	}
	return served.Run(ctx)
}

func runInjector(ctx context.Context, flags *pflag.FlagSet, args []string) error {
	flags.String("leader-election-namespace", "", "")
	if err := parse(flags, args); err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		kubernetes.AddToScheme, certmanager.AddToScheme, apiextensions.AddToScheme, apiregistration.AddToScheme,
	} {
		utilruntime.Must(add(scheme))
	}
	address := "0"
	if alone {
		address = metricsAddress
	}
	created, err := ctrl.NewManager(util.RestConfigWithUserAgent(ctrl.GetConfigOrDie(), "cainjector"), manager.Options{
		Scheme: scheme,
		// Secrets are watched without their data, and read one by one.
		Client:  client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Metrics: metrics.Options{BindAddress: address},
	})
	if err != nil {
		return err
	}
	if err := cainjector.RegisterAllInjectors(ctx, created, cainjector.SetupOptions{
		EnableCertificatesDataSource: true,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName:   true,
			cainjector.ValidatingWebhookConfigurationName: true,
			cainjector.APIServiceName:                     true,
			cainjector.CustomResourceDefinitionName:       true,
		},
	}); err != nil {
		return err
	}
	return created.Start(ctx)
}

// Waits until the webhook admits valid objects and rejects invalid ones, like upstream's Job after an installation.
func runCheck(ctx context.Context, flags *pflag.FlagSet, args []string) error {
	limit := flags.Duration("wait", 0, "")
	// This flag is not a level here.
	flags.BoolP("verbose", "v", false, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	checker, err := cmapichecker.New(ctrl.GetConfigOrDie(), os.Getenv("POD_NAMESPACE"))
	if err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, time.Second, *limit, true, func(ctx context.Context) (bool, error) {
		err := checker.Check(ctx)
		if err != nil {
			logf.Log.Info("not ready", "reason", err.Error())
		}
		return err == nil, nil
	})
}

func main() {
	logf.InitLogs()
	ctrl.SetLogger(logf.Log)
	ctx := logf.NewContext(ctrl.SetupSignalHandler(), logf.Log)
	name := os.Args[1]
	run := map[string]func(context.Context, *pflag.FlagSet, []string) error{
		"controller": runControllers,
		"webhook":    runWebhook,
		"cainjector": runInjector,
		// Its arguments begin with "check api".
		"startupapicheck": runCheck,
	}[name]
	if err := run(ctx, pflag.NewFlagSet(name, pflag.ContinueOnError), os.Args[2:]); err != nil {
		logf.Log.Error(err, "cert-manager ended", "component", name)
		os.Exit(1)
	}
}
