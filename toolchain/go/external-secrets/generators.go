// Package register is built in the place of one of external-secrets that brings the clients of
// registries and clouds, some of which are not served: each of these registers itself.
package register

import (
	_ "github.com/external-secrets/external-secrets/pkg/generator/fake"
	_ "github.com/external-secrets/external-secrets/pkg/generator/password"
	_ "github.com/external-secrets/external-secrets/pkg/generator/uuid"
)
