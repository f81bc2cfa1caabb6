// Package ext stands in for a module inside Traefik's own repository that no registry serves: the
// places where other editions of Traefik keep settings of their own. They are empty here, as in the
// release.
package ext

// HTTP has no settings.
type HTTP struct{}

// Router has no settings.
type Router struct{}
