// The controller of cert-manager: it issues and renews certificates.
//
// It has every kind of issuer but Venafi, whose client library no Go module proxy serves, and takes
// no configuration file, because what reads one needs that library too: what a file can say and the
// chart has no value for is a flag of `extraArgs`, called as upstream.
package main

import (
	"context"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation/field"
	cliflag "k8s.io/component-base/cli/flag"

	config "github.com/cert-manager/cert-manager/internal/apis/config/controller"
	"github.com/cert-manager/cert-manager/internal/apis/config/shared/validation"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/slipway/start"
)

func main() {
	c := defaults()
	program := start.Program[config.ControllerConfiguration]{
		Name:     "controller",
		Config:   c,
		Flags:    func(flags *pflag.FlagSet) { addFlags(flags, c) },
		Validate: validate,
		Logging:  &c.Logging,
		Gates:    &c.FeatureGates,
		Run:      func(ctx context.Context) error { return run(ctx, c) },
	}
	program.Main()
}

func validate(c *config.ControllerConfiguration, path *field.Path) field.ErrorList {
	return validation.ValidateLeaderElectionConfig(
		&c.LeaderElectionConfig.LeaderElectionConfig, path.Child("leaderElectionConfig"))
}

// addFlags registers the flags that the chart sets, and those that an installation may need beside.
func addFlags(flags *pflag.FlagSet, c *config.ControllerConfiguration) {
	flags.StringVar(&c.KubeConfig, "kubeconfig", c.KubeConfig, "kubeconfig; in the cluster by default")
	flags.StringVar(&c.Namespace, "namespace", c.Namespace, "the only namespace to work in")
	flags.BoolVar(&c.IssuerAmbientCredentials, "issuer-ambient-credentials",
		c.IssuerAmbientCredentials, "whether Issuers may use the pod's own cloud rights")
	flags.BoolVar(&c.ClusterIssuerAmbientCredentials, "cluster-issuer-ambient-credentials",
		c.ClusterIssuerAmbientCredentials, "whether ClusterIssuers may")
	flags.BoolVar(&c.GatewayAPIConfig.Enabled, "enable-gateway-api", c.GatewayAPIConfig.Enabled,
		"whether Gateways are looked at")
	flags.StringVar(&c.ClusterResourceNamespace, "cluster-resource-namespace",
		c.ClusterResourceNamespace, "namespace of the Secrets of ClusterIssuers")
	flags.StringSliceVar(&c.Controllers, "controllers", c.Controllers,
		"controllers to run: * for all, -name for all but one")
	flags.BoolVar(&c.EnableCertificateOwnerRef, "enable-certificate-owner-ref",
		c.EnableCertificateOwnerRef, "whether a Secret goes with its Certificate")
	flags.IntVar(&c.MaxConcurrentChallenges, "max-concurrent-challenges",
		c.MaxConcurrentChallenges, "ACME challenges at a time")
	flags.StringVar(&c.MetricsListenAddress, "metrics-listen-address", c.MetricsListenAddress,
		"address of the metrics")
	flags.Var(cliflag.NewMapStringBool(&c.FeatureGates), "feature-gates", "feature gates")

	shim := &c.IngressShimConfig
	flags.StringVar(&shim.DefaultIssuerName, "default-issuer-name", shim.DefaultIssuerName,
		"issuer of what names none")
	flags.StringVar(&shim.DefaultIssuerKind, "default-issuer-kind", shim.DefaultIssuerKind,
		"kind of that issuer")
	flags.StringVar(&shim.DefaultIssuerGroup, "default-issuer-group", shim.DefaultIssuerGroup,
		"API group of that issuer")

	http01 := &c.ACMEHTTP01Config
	flags.StringVar(&http01.SolverImage, "acme-http01-solver-image", http01.SolverImage,
		"image that answers HTTP-01 challenges")
	flags.StringVar(&http01.SolverRuntimeClassName, "acme-http01-solver-runtime-class-name",
		http01.SolverRuntimeClassName, "runtime class of its pods")
	flags.StringToStringVar(&http01.SolverExtraLabels, "acme-http01-solver-extra-labels",
		http01.SolverExtraLabels, "labels of its pods")

	dns01 := &c.ACMEDNS01Config
	flags.StringSliceVar(&dns01.RecursiveNameservers, "dns01-recursive-nameservers",
		dns01.RecursiveNameservers, "name servers that are asked about DNS-01 challenges")
	flags.BoolVar(&dns01.RecursiveNameserversOnly, "dns01-recursive-nameservers-only",
		dns01.RecursiveNameserversOnly, "whether the authoritative ones are not asked")

	start.LeaderElectionFlags(flags, &c.LeaderElectionConfig.LeaderElectionConfig)
	logf.AddFlags(&c.Logging, flags)
}
