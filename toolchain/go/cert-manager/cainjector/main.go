// The CA injector of cert-manager: it gives webhooks and API services the authority to trust.
package main

import (
	"context"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	cliflag "k8s.io/component-base/cli/flag"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	config "github.com/cert-manager/cert-manager/internal/apis/config/cainjector"
	configscheme "github.com/cert-manager/cert-manager/internal/apis/config/cainjector/scheme"
	"github.com/cert-manager/cert-manager/internal/apis/config/cainjector/validation"
	// Registers its feature gates.
	_ "github.com/cert-manager/cert-manager/internal/cainjector/feature"
	"github.com/cert-manager/cert-manager/internal/kube"
	cmapi "github.com/cert-manager/cert-manager/pkg/api"
	"github.com/cert-manager/cert-manager/pkg/apis/config/cainjector/v1alpha1"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	"github.com/cert-manager/cert-manager/slipway/start"
)

// The chart's Role allows this Lease alone.
const lease = "cert-manager-cainjector-leader-election"

func main() {
	scheme, _, err := configscheme.NewSchemeAndCodecs()
	start.Must(err)
	c := &config.CAInjectorConfiguration{}
	start.Must(start.Default(scheme, &v1alpha1.CAInjectorConfiguration{}, c))
	program := start.Program[config.CAInjectorConfiguration]{
		Name:     "cainjector",
		Config:   c,
		Flags:    func(flags *pflag.FlagSet) { addFlags(flags, c) },
		Validate: validation.ValidateCAInjectorConfiguration,
		Logging:  &c.Logging,
		Gates:    &c.FeatureGates,
		Run:      func(ctx context.Context) error { return run(ctx, c) },
	}
	program.Main()
}

// addFlags registers the flags that the chart sets.
func addFlags(flags *pflag.FlagSet, c *config.CAInjectorConfiguration) {
	flags.StringVar(&c.KubeConfig, "kubeconfig", c.KubeConfig, "kubeconfig; in the cluster by default")
	flags.StringVar(&c.MetricsListenAddress, "metrics-listen-address", c.MetricsListenAddress,
		"address of the metrics; 0 for none")
	flags.Var(cliflag.NewMapStringBool(&c.FeatureGates), "feature-gates", "feature gates")
	start.LeaderElectionFlags(flags, &c.LeaderElectionConfig)
	logf.AddFlags(&c.Logging, flags)
}

func run(ctx context.Context, c *config.CAInjectorConfiguration) error {
	ctrl.SetLogger(logf.FromContext(ctx))
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme,
		cmapi.AddToScheme,
		apiextensions.AddToScheme,
		apiregistration.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	rest, err := kube.BuildClientConfig("", c.KubeConfig)
	if err != nil {
		return err
	}
	election := c.LeaderElectionConfig
	options := ctrl.Options{
		Scheme: scheme,
		// Only the metadata of Secrets is kept in memory.
		Client:  client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Metrics: server.Options{BindAddress: c.MetricsListenAddress},

		LeaderElection:                election.Enabled,
		LeaderElectionNamespace:       election.Namespace,
		LeaderElectionID:              lease,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &election.LeaseDuration,
		RenewDeadline:                 &election.RenewDeadline,
		RetryPeriod:                   &election.RetryPeriod,
	}
	if c.Namespace != "" {
		options.Cache.DefaultNamespaces = map[string]cache.Config{c.Namespace: {}}
	}
	manager, err := ctrl.NewManager(util.RestConfigWithUserAgent(rest, "cainjector"), options)
	if err != nil {
		return err
	}
	err = cainjector.RegisterAllInjectors(ctx, manager, cainjector.SetupOptions{
		Namespace:                    c.Namespace,
		IgnoreNamespaces:             c.IgnoreNamespaces,
		EnableCertificatesDataSource: c.EnableDataSourceConfig.Certificates,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName:   c.EnableInjectableConfig.MutatingWebhookConfigurations,
			cainjector.ValidatingWebhookConfigurationName: c.EnableInjectableConfig.ValidatingWebhookConfigurations,
			cainjector.CustomResourceDefinitionName:       c.EnableInjectableConfig.CustomResourceDefinitions,
			cainjector.APIServiceName:                     c.EnableInjectableConfig.APIServices,
		},
	})
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}
