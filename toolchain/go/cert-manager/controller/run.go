package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	config "github.com/cert-manager/cert-manager/internal/apis/config/controller"
	"github.com/cert-manager/cert-manager/internal/pem"
	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	"github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/util"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/server"
)

// The chart's Role allows this Lease alone.
const lease = "cert-manager-controller"

func run(ctx context.Context, c *config.ControllerConfiguration) error {
	limits := c.PEMSizeLimitsConfig
	pem.SetGlobalSizeLimits(pem.NewSizeLimitsFromConfig(limits.MaxCertificateSize,
		limits.MaxPrivateKeySize, limits.MaxChainLength, limits.MaxBundleSize))
	options, err := contextOptions(c)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	factory, err := controller.NewContextFactory(ctx, options)
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}

	certmanager := shared.SharedInformerFactory.Certmanager().V1()
	shared.Metrics.SetupACMECollector(shared.SharedInformerFactory.Acme().V1().Challenges().Lister())
	shared.Metrics.SetupCertificateCollector(certmanager.Certificates().Lister())
	shared.Metrics.SetupIssuerCollector(certmanager.Issuers().Lister())
	if c.Namespace == "" {
		shared.Metrics.SetupClusterIssuerCollector(certmanager.ClusterIssuers().Lister())
	}
	metrics, err := server.Listen(ctx, "tcp", c.MetricsListenAddress)
	if err != nil {
		return err
	}
	group.Go(func() error { return serve(ctx, shared.Metrics.NewServer(metrics), metrics) })

	health := healthz.NewServer(c.LeaderElectionConfig.HealthzTimeout)
	checks, err := net.Listen("tcp", c.HealthzListenAddress)
	if err != nil {
		return err
	}
	group.Go(func() error { return health.Start(ctx, checks) })

	if c.LeaderElectionConfig.Enabled {
		elected := make(chan struct{})
		group.Go(func() error {
			return elect(ctx, c, shared.Client, health.LeaderHealthzAdaptor, elected)
		})
		select {
		case <-ctx.Done():
			return group.Wait()
		case <-elected:
		}
	}

	log := logf.FromContext(ctx)
	wanted := enabled(c)
	for name, construct := range controller.Known() {
		if !wanted.Has(name) {
			continue
		}
		made, err := construct(factory)
		if err != nil {
			return err
		}
		log.V(logf.InfoLevel).Info("starting", "controller", name)
		group.Go(func() error { return made.Run(c.NumberOfConcurrentWorkers, ctx) })
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	if shared.GatewaySolverEnabled {
		shared.GWShared.Start(ctx.Done())
	}
	return group.Wait()
}

func contextOptions(c *config.ControllerConfiguration) (controller.ContextOptions, error) {
	http01, dns01, shim := c.ACMEHTTP01Config, c.ACMEDNS01Config, c.IngressShimConfig
	nameservers := dns01.RecursiveNameservers
	if len(nameservers) == 0 {
		nameservers = util.RecursiveNameservers
	}
	options := controller.ContextOptions{
		APIServerHost:      c.APIServerHost,
		Kubeconfig:         c.KubeConfig,
		KubernetesAPIQPS:   c.KubernetesAPIQPS,
		KubernetesAPIBurst: c.KubernetesAPIBurst,
		Namespace:          c.Namespace,
		IssuerOptions: controller.IssuerOptions{
			ClusterResourceNamespace:        c.ClusterResourceNamespace,
			ClusterIssuerAmbientCredentials: c.ClusterIssuerAmbientCredentials,
			IssuerAmbientCredentials:        c.IssuerAmbientCredentials,
		},
		ACMEOptions: controller.ACMEOptions{
			HTTP01SolverImage:            http01.SolverImage,
			ACMEHTTP01SolverRunAsNonRoot: http01.SolverRunAsNonRoot,
			HTTP01SolverRuntimeClassName: http01.SolverRuntimeClassName,
			HTTP01SolverNameservers:      http01.SolverNameservers,
			HTTP01SolverExtraLabels:      http01.SolverExtraLabels,
			DNS01CheckAuthoritative:      !dns01.RecursiveNameserversOnly,
			DNS01Nameservers:             nameservers,
			DNS01CheckRetryPeriod:        dns01.CheckRetryPeriod,
		},
		IngressShimOptions: controller.IngressShimOptions{
			DefaultIssuerName:                 shim.DefaultIssuerName,
			DefaultIssuerKind:                 shim.DefaultIssuerKind,
			DefaultIssuerGroup:                shim.DefaultIssuerGroup,
			DefaultAutoCertificateAnnotations: shim.DefaultAutoCertificateAnnotations,
			ExtraCertificateAnnotations:       shim.ExtraCertificateAnnotations,
			GatewayAPIExtraProtocols:          sets.New(c.GatewayAPIConfig.ExtraProtocols...),
		},
		CertificateOptions: controller.CertificateOptions{
			EnableOwnerRef:                           c.EnableCertificateOwnerRef,
			CopiedAnnotationPrefixes:                 c.CopiedAnnotationPrefixes,
			CertificateRequestMinimumBackoffDuration: c.CertificateRequestMinimumBackoffDuration,
			CertificateRequestMaximumBackoffDuration: c.CertificateRequestMaximumBackoffDuration,
		},
		SchedulerOptions: controller.SchedulerOptions{
			MaxConcurrentChallenges: c.MaxConcurrentChallenges,
		},
		ConfigOptions: controller.ConfigOptions{
			EnableGatewayAPI:            c.GatewayAPIConfig.Enabled,
			EnableGatewayAPIListenerSet: c.GatewayAPIConfig.EnableListenerSet,
		},
	}
	for text, quantity := range map[string]*resource.Quantity{
		http01.SolverResourceRequestCPU:    &options.HTTP01SolverResourceRequestCPU,
		http01.SolverResourceRequestMemory: &options.HTTP01SolverResourceRequestMemory,
		http01.SolverResourceLimitsCPU:     &options.HTTP01SolverResourceLimitsCPU,
		http01.SolverResourceLimitsMemory:  &options.HTTP01SolverResourceLimitsMemory,
	} {
		parsed, err := resource.ParseQuantity(text)
		if err != nil {
			return options, err
		}
		*quantity = parsed
	}
	return options, nil
}

// elect closes `elected` once this process leads, and then returns only when it no longer does.
func elect(ctx context.Context, c *config.ControllerConfiguration, client kubernetes.Interface,
	watchdog *leaderelection.HealthzAdaptor, elected chan<- struct{}) error {
	identity, err := os.Hostname()
	if err != nil {
		return err
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock,
		c.LeaderElectionConfig.Namespace, lease, client.CoreV1(), client.CoordinationV1(),
		resourcelock.ResourceLockConfig{Identity: identity})
	if err != nil {
		return err
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   c.LeaderElectionConfig.LeaseDuration,
		RenewDeadline:   c.LeaderElectionConfig.RenewDeadline,
		RetryPeriod:     c.LeaderElectionConfig.RetryPeriod,
		ReleaseOnCancel: true,
		WatchDog:        watchdog,
		Name:            lease,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(elected) },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	elector.Run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return errors.New("the leader election was lost")
}

func serve(ctx context.Context, s *http.Server, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(grace)
	})
	defer stop()
	if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
