// Package limits refuses requests with a body that is too large. Unlike Traefik's own buffering
// middleware it passes answers on as they come.
//
// Traefik interprets it. So the usual request, whose size its header tells, is one comparison.
package limits

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
)

// Config is what Traefik's file says.
type Config struct {
	MaxRequestBodyBytes int64
}

// CreateConfig returns the defaults: nothing is allowed.
func CreateConfig() *Config {
	return &Config{}
}

// Limits is the middleware.
type Limits struct {
	next http.Handler
	most int64
}

// New returns the middleware in front of a handler.
func New(_ context.Context, next http.Handler, config *Config, _ string) (http.Handler, error) {
	return &Limits{next: next, most: config.MaxRequestBodyBytes}, nil
}

func (l *Limits) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	if request.ContentLength > l.most {
		refuse(answer)
		return
	}
	if request.ContentLength < 0 {
		if !strings.HasPrefix(request.Header.Get("Content-Type"), "application/grpc") {
			l.serveWhole(answer, request)
			return
		}
		// A gRPC stream cannot be waited for: it ends amid its messages when they are too much.
		request.Body = http.MaxBytesReader(answer, request.Body, l.most)
	}
	l.next.ServeHTTP(answer, request)
}

// serveWhole passes on a body of unknown size once all of it is there, in a file: too late to refuse
// it would be when a part has gone to the model.
func (l *Limits) serveWhole(answer http.ResponseWriter, request *http.Request) {
	file, err := os.CreateTemp("", "body-")
	if err != nil {
		http.Error(answer, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	defer os.Remove(file.Name())
	defer file.Close()
	size, err := io.Copy(file, http.MaxBytesReader(answer, request.Body, l.most))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		refuse(answer)
		return
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		http.Error(answer, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		return
	}
	request.Body = io.NopCloser(file)
	request.ContentLength = size
	request.TransferEncoding = nil
	l.next.ServeHTTP(answer, request)
}

func refuse(answer http.ResponseWriter) {
	http.Error(answer, http.StatusText(http.StatusRequestEntityTooLarge), http.StatusRequestEntityTooLarge)
}
