// The webhook of cert-manager: it checks and completes its resources.
package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/cert-manager/cert-manager/internal/apis/config/webhook"
	"github.com/cert-manager/cert-manager/internal/apis/config/webhook/validation"
	internalwebhook "github.com/cert-manager/cert-manager/internal/webhook"
	// Registers its feature gates.
	_ "github.com/cert-manager/cert-manager/internal/webhook/feature"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
	"github.com/cert-manager/cert-manager/slipway/start"
)

func main() {
	config, err := options.NewWebhookConfiguration()
	start.Must(err)
	program := start.Program[webhook.WebhookConfiguration]{
		Name:     "webhook",
		Config:   config,
		Flags:    func(flags *pflag.FlagSet) { options.AddConfigFlags(flags, config) },
		Validate: validation.ValidateWebhookConfiguration,
		Logging:  &config.Logging,
		Gates:    &config.FeatureGates,
		Run: func(ctx context.Context) error {
			server, err := internalwebhook.NewCertManagerWebhookServer(
				logf.FromContext(ctx), *config)
			if err != nil {
				return err
			}
			return server.Run(ctx)
		},
	}
	program.Main()
}
